"""nvcc accepts the random numbers' headers, without a warning."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.philox_draws import DRAW, HEADERS

SOURCE = (
    '#include "own_stream.h"\n'
    + DRAW
    + """
__global__ void draw_all(int kind, double a, double b, double* out) {
    gpurun::own_stream() = gpurun::Stream(1, 2, 3, threadIdx.x);
    out[threadIdx.x] = draw(gpurun::own_stream(), kind, a, b);
}
double on_host() {
    gpurun::Stream stream(1, 2, 3, 4);
    return draw(stream, 0, 0.0, 0.0);
}
"""
)


def test_nvcc_compiles_the_headers(tmp_path: Path, toolkit: Path) -> None:
    source = tmp_path / "draws.cu"
    source.write_text(SOURCE, encoding="utf-8")
    nvcc = str(toolkit / "bin" / "nvcc")
    flags = ["-std=c++17", "-arch=sm_90", "-Werror", "all-warnings", f"-I{HEADERS}"]
    done = subprocess.run(
        [nvcc, *flags, "-ptx", str(source), "-o", str(tmp_path / "draws.ptx")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr.strip()
    # Products and sums of normal numbers are rounded one by one, as on the host
    text = (tmp_path / "draws.ptx").read_text(encoding="utf-8")
    assert text.count("mul.rn.f64") > 25
    assert text.count("mul.rn.f32") > 8
