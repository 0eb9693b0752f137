"""Which variables a run can change.

Only these are kept in the baseline and put back between runs, so the answer has
to be a superset of the truth: too small is a wrong result, too large costs a
copy. Brian itself does not know write sets; we know what the statements assign
(recorded by the code generator) and, for brian2's own templates, what the
template text writes beyond them.
"""

from __future__ import annotations

from typing import Any

from brian2.core.variables import ArrayVariable, DynamicArrayVariable

from gpurun.brian.codeobject import assigned, records_writes
from gpurun.brian.program import Program

# Templates whose text writes nothing beyond the statements.
_STATEMENTS_ONLY = {
    "stateupdate",
    "reset",
    "synapses",
    "group_variable_set",
    "group_variable_set_conditional",
}
# Templates that write no array at all (they only touch the spike queue).
_NO_ARRAYS = {"synapses_push_spikes"}
# Templates that write variables of their owner, or any writable variable they see.
_WRITABLE_AND_OWNED = {
    "threshold",
    "summed_variable",
    "spikegenerator",
    "statemonitor",
    "spikemonitor",
    "ratemonitor",
}
# Brian marks connectivity as writable, but none of the templates above touches it.
_CONNECTIVITY = {"_synaptic_pre", "_synaptic_post"}


def _array_variables(codeobj: Any) -> set[Any]:
    return {v for v in codeobj.variables.values() if isinstance(v, ArrayVariable)}


def owned_by(variable: Any, owner: Any) -> bool:
    """Whether `variable` is one of `owner`'s own, not of what it refers to."""
    try:
        return variable.owner.name == owner.name
    except (ReferenceError, AttributeError):
        return False


def variables_written_by(codeobj: Any) -> set[Any]:
    """Variables that running `codeobj` can change (a superset).

    Parameters
    ----------
    codeobj : brian2.codegen.codeobject.CodeObject
        A code object of the device.

    Returns
    -------
    set of brian2.core.variables.ArrayVariable
    """
    arrays = _array_variables(codeobj)
    template = codeobj.template_name
    if template in _NO_ARRAYS:
        return set()
    if records_writes(codeobj):
        if template in _STATEMENTS_ONLY:
            written = assigned.get(codeobj.name, set())
            return {v for v in written if isinstance(v, ArrayVariable)}
        if template in _WRITABLE_AND_OWNED:
            return {
                v
                for v in arrays
                if (not v.read_only or owned_by(v, codeobj.owner)) and v.name not in _CONNECTIVITY
            }
    written = set(arrays)
    if template.startswith("synapses_create"):
        written |= set(codeobj.owner._registered_variables)
    return written


def event_driven_variables(device: Any, program: Program) -> dict[Any, set[str]]:
    """Synaptic variables that only the spikes of pathways change.

    A run changes such a variable at synapses of neurons that spiked, and nowhere else, so
    that a reset need not copy all of it.

    Returns
    -------
    dict
        Variable -> names of the pathways of its Synapses, any of which may write it. Empty
        for programs whose synapses may change between runs.
    """
    if len(program.parts) != 1 or program.later_derived or program.opaque_later:
        return {}
    synaptic = {
        variable: {pathway.name for pathway in synapses._pathways}
        for synapses in device.synapses
        for name, variable in synapses.variables.items()
        if isinstance(variable, DynamicArrayVariable)
        and not variable.scalar
        and owned_by(variable, synapses)
        and synapses.variables.indices[name] == "_idx"
    }
    written: set[Any] = set()
    for name in dict.fromkeys(program.later_codeobjects):
        codeobj = device.code_objects[name]
        by_spikes = records_writes(codeobj) and codeobj.template_name == "synapses"
        for variable in variables_written_by(codeobj):
            written.add(variable)
            if not (by_spikes and owned_by(variable, codeobj.owner)):
                synaptic.pop(variable, None)
    return {
        variable: pathways
        for variable, pathways in synaptic.items()
        if variable in written and device.dynamic_arrays.get(variable) not in program.later_arrays
    }
