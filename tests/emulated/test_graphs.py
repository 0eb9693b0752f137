"""Streams, events, capture and graphs of the emulator."""

from __future__ import annotations

import pytest

from tests.emulated.test_runtime import lines, run

SETUP = """
__global__ void add(int* x, int n) { x[threadIdx.x] += n; }
__global__ void scale(int* x, int n) { x[threadIdx.x] *= n; }
cudaStream_t s, t;
cudaEvent_t e, f;
cudaGraph_t graph;
cudaGraphExec_t exec;
int *x, host[4];
void setup() {
    OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
    OK(cudaStreamCreateWithFlags(&t, cudaStreamNonBlocking));
    OK(cudaEventCreate(&e));
    OK(cudaEventCreate(&f));
    OK(cudaMalloc(&x, sizeof host));
    OK(cudaMemset(x, 0, sizeof host));
}
void show() {
    OK(cudaMemcpy(host, x, sizeof host, cudaMemcpyDeviceToHost));
    for (int v : host) printf("%d ", v);
    printf("\\n");
}
"""


def says(body: str) -> list[str]:
    return [line.strip() for line in lines(SETUP + "int main() { setup();" + body + "}")]


def test_a_captured_graph_is_replayed_in_order() -> None:
    assert says("""
        OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
        add<<<1, 4, 0, s>>>(x, 2);
        scale<<<1, 4, 0, s>>>(x, 3);
        OK(cudaMemcpyAsync(x, x + 1, 4, cudaMemcpyDeviceToDevice, s));
        OK(cudaMemsetAsync(x + 3, 0, 4, s));
        OK(cudaStreamEndCapture(s, &graph));
        show();  // nothing was done yet
        OK(cudaGraphInstantiate(&exec, graph));
        OK(cudaGraphDestroy(graph));
        OK(cudaGraphLaunch(exec, s));
        OK(cudaStreamSynchronize(s));
        show();
        OK(cudaGraphLaunch(exec, s));
        show();
        OK(cudaGraphExecDestroy(exec));
        SAYS(cudaGraphLaunch(exec, s));
    """) == ["0 0 0 0", "6 6 6 0", "24 24 24 0", "cudaErrorInvalidValue"]


def test_forked_streams_join_a_capture() -> None:
    assert says("""
        OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
        add<<<1, 4, 0, s>>>(x, 1);
        OK(cudaEventRecord(e, s));
        OK(cudaStreamWaitEvent(t, e));
        cudaStreamCaptureStatus status;
        OK(cudaStreamIsCapturing(t, &status));
        printf("%d\\n", status);
        scale<<<1, 2, 0, t>>>(x, 10);
        add<<<1, 1, 0, s>>>(x + 3, 5);
        OK(cudaEventRecord(f, t));
        OK(cudaStreamWaitEvent(s, f));
        OK(cudaStreamEndCapture(s, &graph));
        size_t count;
        OK(cudaGraphGetNodes(graph, nullptr, &count));
        printf("%zu\\n", count);
        OK(cudaGraphInstantiate(&exec, graph));
        OK(cudaGraphLaunch(exec, nullptr));
        show();
    """) == ["1", "3", "10 10 1 6"]


@pytest.mark.parametrize(
    ("call", "error", "end"),
    [
        ("cudaDeviceSynchronize()", "cudaErrorStreamCaptureUnsupported", "Invalidated"),
        ("cudaStreamSynchronize(s)", "cudaErrorStreamCaptureUnsupported", "Invalidated"),
        ("cudaStreamQuery(s)", "cudaErrorStreamCaptureUnsupported", "Invalidated"),
        ("cudaMalloc(&x, 4)", "cudaErrorStreamCaptureUnsupported", "Invalidated"),
        ("cudaFree(x)", "cudaErrorStreamCaptureUnsupported", "Invalidated"),
        ("cudaStreamWaitEvent(s, e)", "cudaErrorStreamCaptureIsolation", "Invalidated"),
        ("(cudaEventRecord(e, s), cudaEventSynchronize(e))", "cudaErrorCapturedEvent",
         "Invalidated"),
        ("(cudaEventRecord(e, s), cudaStreamWaitEvent(t, e), cudaSuccess)", "cudaSuccess", None),
        ("(cudaEventRecord(e, s), cudaStreamWaitEvent(t, e), add<<<1, 1, 0, t>>>(x, 1), "
         "cudaSuccess)", "cudaSuccess", "Unjoined"),
        ("cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal)", "cudaErrorIllegalState", None),
        ("cudaStreamEndCapture(t, &graph)", "cudaErrorIllegalState", None),
    ],
)  # fmt: skip
def test_calls_that_a_capture_forbids(call: str, error: str, end: str | None) -> None:
    ended = "cudaSuccess" if end is None else f"cudaErrorStreamCapture{end}"
    assert says(f"""
        OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
        add<<<1, 4, 0, s>>>(x, 1);
        SAYS({call});
        SAYS(cudaStreamEndCapture(s, &graph));
        cudaGetLastError();
        OK(cudaDeviceSynchronize());  // all is well again
    """) == [error, ended]


def test_the_legacy_stream_disturbs_captures_of_blocking_streams_only() -> None:
    body = """
        cudaStream_t b;
        OK(cudaStreamCreateWithFlags(&b, FLAGS));
        OK(cudaStreamBeginCapture(b, cudaStreamCaptureModeGlobal));
        SAYS(cudaMemcpy(host, x, 4, cudaMemcpyDeviceToHost));
        add<<<1, 1>>>(x, 1);
        SAYS(cudaGetLastError());
        SAYS(cudaStreamEndCapture(b, &graph));
    """
    implicit = "cudaErrorStreamCaptureImplicit"
    assert says(body.replace("FLAGS", "cudaStreamDefault")) == [
        implicit, implicit, "cudaErrorStreamCaptureInvalidated",
    ]  # fmt: skip
    assert says(body.replace("FLAGS", "cudaStreamNonBlocking")) == ["cudaSuccess"] * 3


def test_relaxed_captures_allow_unsafe_calls() -> None:
    assert says("""
        OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeRelaxed));
        int* y;
        SAYS(cudaMalloc(&y, 4));
        add<<<1, 1, 0, s>>>(x, 1);
        SAYS(cudaStreamEndCapture(s, &graph));
    """) == ["cudaSuccess", "cudaSuccess"]


def test_parameters_of_an_instantiated_graph_can_change() -> None:
    assert says("""
        OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
        add<<<1, 4, 0, s>>>(x, 1);
        OK(cudaStreamEndCapture(s, &graph));
        OK(cudaGraphInstantiate(&exec, graph));
        size_t count = 1;
        cudaGraphNode_t node;
        OK(cudaGraphGetNodes(graph, &node, &count));
        cudaGraphNodeType type;
        OK(cudaGraphNodeGetType(node, &type));
        cudaKernelNodeParams p;
        OK(cudaGraphKernelNodeGetParams(node, &p));
        printf("%d %d %d %d\\n", type == cudaGraphNodeTypeKernel, p.blockDim.x,
               *(int*)p.kernelParams[1], p.func == (void*)add);
        int amount = 7;
        void* arguments[] = {&x, &amount};
        p.kernelParams = arguments;
        p.blockDim = 2;
        OK(cudaGraphExecKernelNodeSetParams(exec, node, &p));
        amount = 100;  // was copied
        OK(cudaGraphLaunch(exec, s));
        show();
    """) == ["1 4 1 1", "7 7 0 0"]


def test_updating_an_instantiated_graph() -> None:
    record = """
        OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
        KERNELS
        OK(cudaStreamEndCapture(s, &graph));
    """
    assert says(
        record.replace("KERNELS", "add<<<1, 4, 0, s>>>(x, 1); scale<<<1, 4, 0, s>>>(x, 2);")
        + "OK(cudaGraphInstantiate(&exec, graph)); cudaGraphExecUpdateResultInfo info;"
        + record.replace("KERNELS", "add<<<1, 2, 0, s>>>(x, 5); scale<<<1, 4, 0, s>>>(x, 3);")
        + "SAYS(cudaGraphExecUpdate(exec, graph, &info)); OK(cudaGraphLaunch(exec, s)); show();"
        + record.replace("KERNELS", "add<<<1, 2, 0, s>>>(x, 5);")
        + """SAYS(cudaGraphExecUpdate(exec, graph, &info));
        printf("%d\\n", info.result == cudaGraphExecUpdateErrorTopologyChanged);
        OK(cudaGraphLaunch(exec, s)); show();"""
    ) == ["cudaSuccess", "15 15 0 0", "cudaErrorGraphExecUpdateFailure", "1", "60 60 0 0"]


def test_a_graph_put_together_by_hand() -> None:
    assert says("""
        add<<<1, 1>>>(x, 0);  // so that the kernels are known
        scale<<<1, 1>>>(x, 1);
        int one = 1, three = 3;
        void *first[] = {&x, &one}, *second[] = {&x, &three};
        cudaKernelNodeParams p = {(void*)add, 1, 4, 0, first, nullptr};
        cudaGraphNode_t a, b, c, d;
        OK(cudaGraphCreate(&graph, 0));
        OK(cudaGraphAddKernelNode(&a, graph, nullptr, 0, &p));
        p.func = (void*)scale; p.kernelParams = second;
        OK(cudaGraphAddKernelNode(&b, graph, &a, 1, &p));
        OK(cudaGraphAddMemcpyNode1D(&c, graph, &b, 1, host, x, 16, cudaMemcpyDeviceToHost));
        cudaHostNodeParams h = {[](void* user) { printf("%d\\n", ((int*)user)[2]); }, host};
        OK(cudaGraphAddHostNode(&d, graph, &c, 1, &h));
        OK(cudaGraphInstantiate(&exec, graph));
        OK(cudaGraphLaunch(exec, s));
        OK(cudaGraphLaunch(exec, s));
    """) == ["3", "12"]


def test_events_and_handles() -> None:
    assert says("""
        float ms = -1;
        SAYS(cudaEventElapsedTime(&ms, e, f));
        OK(cudaEventRecord(e, s));
        add<<<1, 4, 0, s>>>(x, 1);
        OK(cudaEventRecord(f, s));
        SAYS(cudaEventElapsedTime(&ms, e, f));
        printf("%d\\n", ms >= 0);
        OK(cudaStreamDestroy(t));
        SAYS(cudaStreamSynchronize(t));
        OK(cudaEventDestroy(f));
        SAYS(cudaEventRecord(f, s));
        SAYS(cudaStreamDestroy(nullptr));
        OK(cudaLaunchHostFunc(s, [](void* n) { printf("%d\\n", *(int*)n); }, host));
    """) == [
        "cudaErrorInvalidResourceHandle", "cudaSuccess", "1", "cudaErrorInvalidResourceHandle",
        "cudaErrorInvalidResourceHandle", "cudaErrorInvalidResourceHandle", "0",
    ]  # fmt: skip


def test_memory_of_a_stream() -> None:
    assert says("""
        size_t before, during, after, total;
        OK(cudaMemGetInfo(&before, &total));
        int* y;
        OK(cudaMallocAsync(&y, 4096, s));
        OK(cudaMemsetAsync(y, 1, 4096, s));
        OK(cudaMemGetInfo(&during, &total));
        OK(cudaFreeAsync(y, s));
        OK(cudaMemGetInfo(&after, &total));
        printf("%zu %d\\n", before - during, before == after);
        SAYS(cudaFreeAsync(y, s));
        int* pinned;
        OK(cudaMallocHost(&pinned, 16));
        OK(cudaMemcpyAsync(pinned, x, 16, cudaMemcpyDeviceToHost, s));
        OK(cudaFreeHost(pinned));
    """) == ["4096 1", "cudaErrorInvalidValue"]


def test_an_error_in_a_graph_stops_it_and_is_sticky() -> None:
    done = run(
        SETUP
        + """
    __global__ void fail(int* x) { assert(x == nullptr); }
    int main() {
        setup();
        OK(cudaStreamBeginCapture(s, cudaStreamCaptureModeGlobal));
        add<<<1, 4, 0, s>>>(x, 1);
        fail<<<1, 1, 0, s>>>(x);
        OK(cudaLaunchHostFunc(s, [](void*) { printf("not done\\n"); }, nullptr));
        OK(cudaStreamEndCapture(s, &graph));
        OK(cudaGraphInstantiate(&exec, graph));
        SAYS(cudaGraphLaunch(exec, s));
        SAYS(cudaStreamSynchronize(s));
        SAYS(cudaGraphLaunch(exec, s));
    }"""
    )
    assert done.stdout.split() == ["cudaSuccess", "cudaErrorAssert", "cudaErrorAssert"]
