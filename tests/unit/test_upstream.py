"""An upgrade of brian2 must not change what gpurun builds on unnoticed."""

from __future__ import annotations

import pytest

from gpurun.brian import emit, upstream
from gpurun.errors import BuildError


def test_installed_brian2_is_the_one_gpurun_was_written_for() -> None:
    changed = upstream.differences()
    assert not changed, (
        "\n".join(changed)
        + "\nRead what changed, adapt gpurun, and run 'python -m gpurun.brian.upstream'."
    )


def test_a_changed_file_is_reported_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = upstream.installed()
    name = "devices/cpp_standalone/templates/objects.cpp"
    monkeypatch.setattr(upstream, "installed", lambda: {**found, name: "0" * 64})
    (line,) = upstream.differences()
    assert name in line
    assert "patched" in line


def test_every_patch_gives_a_reason() -> None:
    for patch in emit.load_patches():
        assert patch.why
        assert patch.count >= 1


def test_a_patch_that_does_not_match_names_itself() -> None:
    (patch, *_) = emit.load_patches()
    with pytest.raises(BuildError, match=patch.name) as caught:
        patch.apply("int main() {}")
    assert "found it 0 time(s)" in str(caught.value)
    with pytest.raises(BuildError, match=patch.name):
        patch.apply(patch.anchor * (patch.count + 1))
