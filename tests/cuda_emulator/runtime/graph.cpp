// Graphs: work that was recorded or put together, done again in its order.
#include <algorithm>
#include <map>
#include <set>

#include "device.h"
#include "memory.h"
#include "stream.h"

struct CUgraphExec_st {
    int device = 0;
    CUgraph_st graph;
    CUgraphNode_st* copy_of(cudaGraphNode_t node) const {
        for (const auto& own : graph.nodes)
            if (own->origin == node) return own.get();
        return nullptr;
    }
};

bool CUgraph_st::owns(const CUgraphNode_st* node) const {
    return std::any_of(nodes.begin(), nodes.end(),
                       [node](const auto& own) { return own.get() == node; });
}

CUgraphNode_st* CUgraph_st::add(cuda_emulator::Work work,
                                std::vector<CUgraphNode_st*> dependencies) {
    nodes.push_back(std::make_unique<CUgraphNode_st>());
    nodes.back()->work = std::move(work);
    nodes.back()->dependencies = std::move(dependencies);
    return nodes.back().get();
}

CUgraph_st::~CUgraph_st() {
    for (void* pointer : memory) cuda_emulator::release(pointer);
}

using namespace cuda_emulator;
using Guard = std::lock_guard<std::recursive_mutex>;

namespace {


std::set<cudaGraphExec_t>& executables() {
    static auto* all = new std::set<cudaGraphExec_t>;
    return *all;
}

cudaError_t add(cudaGraphNode_t* node, cudaGraph_t graph, const cudaGraphNode_t* dependencies,
                size_t count, Work work) {
    if (!node || !graph || (count && !dependencies)) return cudaErrorInvalidValue;
    for (size_t i = 0; i < count; i++)
        if (!graph->owns(dependencies[i])) return cudaErrorInvalidValue;
    *node = graph->add(std::move(work),
                       std::vector<CUgraphNode_st*>(dependencies, dependencies + count));
    return cudaSuccess;
}

cudaError_t kernel_of(const cudaKernelNodeParams* parameters, const KernelCall* like,
                      Work* work) {
    if (!parameters || !parameters->func) return cudaErrorInvalidValue;
    if (parameters->extra) return cudaErrorNotSupported;
    std::shared_ptr<const KernelCall> known = known_kernel(parameters->func);
    if (like && like->function() == parameters->func) known = like->with(like->arguments());
    if (!known) return cudaErrorInvalidDeviceFunction;
    const Configuration configuration{parameters->gridDim, parameters->blockDim,
                                      parameters->sharedMemBytes, nullptr, false};
    *work = kernel_work(configuration, known->with(parameters->kernelParams));
    return check_configuration(configuration, *work->call);
}

}  // namespace

cudaError_t cudaGraphCreate(cudaGraph_t* graph, unsigned int) {
    Guard guard(lock());
    if (!graph) return result(cudaErrorInvalidValue);
    *graph = new CUgraph_st;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
    Guard guard(lock());
    if (!graph) return result(cudaErrorInvalidValue);
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
    Guard guard(lock());
    if (!graph || !count) return result(cudaErrorInvalidValue);
    if (nodes)
        for (size_t i = 0; i < *count; i++)
            nodes[i] = i < graph->nodes.size() ? graph->nodes[i].get() : nullptr;
    if (!nodes || *count > graph->nodes.size()) *count = graph->nodes.size();
    return cudaSuccess;
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
    if (!node || !type) return result(cudaErrorInvalidValue);
    *type = node->work.type;
    return cudaSuccess;
}

cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t node, cudaKernelNodeParams* parameters) {
    if (!node || !parameters || node->work.type != cudaGraphNodeTypeKernel)
        return result(cudaErrorInvalidValue);
    const Configuration& configuration = node->work.configuration;
    parameters->func = const_cast<void*>(node->work.call->function());
    parameters->gridDim = configuration.grid;
    parameters->blockDim = configuration.block;
    parameters->sharedMemBytes = (unsigned int)configuration.shared;
    parameters->kernelParams = node->work.call->arguments();
    parameters->extra = nullptr;
    return cudaSuccess;
}

cudaError_t cudaGraphKernelNodeSetParams(cudaGraphNode_t node,
                                         const cudaKernelNodeParams* parameters) {
    Guard guard(lock());
    if (!node || node->work.type != cudaGraphNodeTypeKernel) return result(cudaErrorInvalidValue);
    Work work;
    const cudaError_t error = kernel_of(parameters, node->work.call.get(), &work);
    if (error == cudaSuccess) node->work = work;
    return result(error);
}

cudaError_t cudaGraphAddKernelNode(cudaGraphNode_t* node, cudaGraph_t graph,
                                   const cudaGraphNode_t* dependencies, size_t count,
                                   const cudaKernelNodeParams* parameters) {
    Guard guard(lock());
    Work work;
    if (const cudaError_t error = kernel_of(parameters, nullptr, &work)) return result(error);
    return result(add(node, graph, dependencies, count, std::move(work)));
}

cudaError_t cudaGraphAddMemcpyNode1D(cudaGraphNode_t* node, cudaGraph_t graph,
                                     const cudaGraphNode_t* dependencies, size_t count, void* to,
                                     const void* from, size_t bytes, cudaMemcpyKind kind) {
    Guard guard(lock());
    if (const cudaError_t error = check_copy(to, from, bytes, kind)) return result(error);
    return result(add(node, graph, dependencies, count, copy_work(to, from, bytes, kind)));
}

cudaError_t cudaGraphAddHostNode(cudaGraphNode_t* node, cudaGraph_t graph,
                                 const cudaGraphNode_t* dependencies, size_t count,
                                 const cudaHostNodeParams* parameters) {
    Guard guard(lock());
    if (!parameters || !parameters->fn) return result(cudaErrorInvalidValue);
    const cudaHostNodeParams own = *parameters;
    return result(add(node, graph, dependencies, count, host_work([own] { own.fn(own.userData); })));
}

cudaError_t cudaGraphAddEmptyNode(cudaGraphNode_t* node, cudaGraph_t graph,
                                  const cudaGraphNode_t* dependencies, size_t count) {
    Guard guard(lock());
    return result(add(node, graph, dependencies, count, Work()));
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* exec, cudaGraph_t graph,
                                          unsigned long long) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!exec || !graph) return result(cudaErrorInvalidValue);
    auto made = std::make_unique<CUgraphExec_st>();
    made->device = current_device();
    std::map<const CUgraphNode_st*, CUgraphNode_st*> copies;
    for (const auto& node : graph->nodes) {
        std::vector<CUgraphNode_st*> dependencies;
        for (const CUgraphNode_st* dependency : node->dependencies)
            dependencies.push_back(copies.at(dependency));
        CUgraphNode_st* const copy = made->graph.add(node->work, dependencies);
        copy->origin = node.get();
        copies[node.get()] = copy;
    }
    *exec = made.release();
    executables().insert(*exec);
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
    Guard guard(lock());
    if (!executables().erase(exec)) return result(cudaErrorInvalidValue);
    delete exec;
    return cudaSuccess;
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo* info) {
    Guard guard(lock());
    if (!executables().count(exec) || !graph || !info) return result(cudaErrorInvalidValue);
    *info = {cudaGraphExecUpdateSuccess, nullptr, nullptr};
    const auto refuse = [&](cudaGraphExecUpdateResult why, CUgraphNode_st* node) {
        *info = {why, node, nullptr};
        return result(cudaErrorGraphExecUpdateFailure);
    };
    auto& own = exec->graph.nodes;
    if (own.size() != graph->nodes.size())
        return refuse(cudaGraphExecUpdateErrorTopologyChanged, nullptr);
    std::map<const CUgraphNode_st*, size_t> place, new_place;
    for (size_t i = 0; i < own.size(); i++) {
        place[own[i].get()] = i;
        new_place[graph->nodes[i].get()] = i;
    }
    for (size_t i = 0; i < own.size(); i++) {
        CUgraphNode_st& node = *graph->nodes[i];
        if (node.work.type != own[i]->work.type)
            return refuse(cudaGraphExecUpdateErrorNodeTypeChanged, &node);
        bool same = node.dependencies.size() == own[i]->dependencies.size();
        for (size_t d = 0; same && d < node.dependencies.size(); d++)
            same = new_place.at(node.dependencies[d]) == place.at(own[i]->dependencies[d]);
        if (!same) return refuse(cudaGraphExecUpdateErrorTopologyChanged, &node);
    }
    for (size_t i = 0; i < own.size(); i++) {
        own[i]->work = graph->nodes[i]->work;
        own[i]->origin = graph->nodes[i].get();
    }
    return cudaSuccess;
}

cudaError_t cudaGraphExecKernelNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                             const cudaKernelNodeParams* parameters) {
    Guard guard(lock());
    CUgraphNode_st* const own = executables().count(exec) ? exec->copy_of(node) : nullptr;
    if (!own || own->work.type != cudaGraphNodeTypeKernel) return result(cudaErrorInvalidValue);
    Work work;
    const cudaError_t error = kernel_of(parameters, own->work.call.get(), &work);
    if (error == cudaSuccess) own->work = work;
    return result(error);
}

cudaError_t cudaGraphExecMemcpyNodeSetParams1D(cudaGraphExec_t exec, cudaGraphNode_t node,
                                               void* to, const void* from, size_t bytes,
                                               cudaMemcpyKind kind) {
    Guard guard(lock());
    CUgraphNode_st* const own = executables().count(exec) ? exec->copy_of(node) : nullptr;
    if (!own || own->work.type != cudaGraphNodeTypeMemcpy) return result(cudaErrorInvalidValue);
    if (const cudaError_t error = check_copy(to, from, bytes, kind)) return result(error);
    own->work = copy_work(to, from, bytes, kind);
    return cudaSuccess;
}

cudaError_t cudaGraphExecHostNodeSetParams(cudaGraphExec_t exec, cudaGraphNode_t node,
                                           const cudaHostNodeParams* parameters) {
    Guard guard(lock());
    CUgraphNode_st* const own = executables().count(exec) ? exec->copy_of(node) : nullptr;
    if (!own || own->work.type != cudaGraphNodeTypeHost || !parameters || !parameters->fn)
        return result(cudaErrorInvalidValue);
    const cudaHostNodeParams wanted = *parameters;
    own->work = host_work([wanted] { wanted.fn(wanted.userData); });
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    return result(executables().count(exec) ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
    Guard guard(lock());
    if (const cudaError_t error = entry_error()) return result(error);
    if (!executables().count(exec)) return result(cudaErrorInvalidValue);
    Work work;
    work.type = cudaGraphNodeTypeGraph;
    work.run = [exec] {
        for (const auto& node : exec->graph.nodes) {
            if (!node->work.run) continue;
            if (const cudaError_t error = node->work.run()) return error;
            if (use_device().pending != cudaSuccess) break;
        }
        return cudaSuccess;
    };
    return result(enqueue(stream, std::move(work)));
}
