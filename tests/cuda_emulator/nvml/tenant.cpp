// A process that uses cards as the runtime would, by command: for tests of the shared state.
// Each command is a line of words, and its answer is a line.
#include <iostream>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "cuda_emulator/cards.h"
#include "cuda_emulator/state.h"

using namespace cuda_emulator;

namespace {

std::string run(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    int device = 0;
    long long bytes = 0;
    words >> command >> device >> bytes;
    if (command == "attach") {
        state().attach(device);
    } else if (command == "detach") {
        state().detach(device);
    } else if (command == "add") {
        state().add_memory(device, bytes);
    } else if (command == "try") {  // as cudaMalloc
        const Card card = all_cards().at(std::size_t(device));
        return state().try_memory(device, bytes, std::int64_t(card.limit())) ? "yes" : "no";
    } else if (command == "begin") {
        state().begin_kernel(device);
    } else if (command == "end") {
        state().end_kernel(device);
    } else if (command == "used") {
        return std::to_string(state().memory_used(device));
    } else if (command == "threads") {
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i)
            threads.emplace_back([&] {
                for (int k = 0; k < 1000; ++k) state().add_memory(device, bytes);
            });
        for (std::thread& thread : threads) thread.join();
    } else if (command == "visible") {
        std::string text;
        for (const Card& card : visible_cards()) text += std::to_string(card.index) + " ";
        return text;
    } else {
        return "no such command";
    }
    return "done";
}

}  // namespace

int main(int, char** words) {
    for (std::string line; std::getline(std::cin, line);) {
        if (line == "exec") {
            std::cout << "done" << std::endl;
            execv("/proc/self/exe", words);
            return 1;
        }
        if (line == "fork") {  // the child goes on, until its end
            const pid_t child = fork();
            int status = 0;
            if (child && waitpid(child, &status, 0) == child) return status;
            line = "used 0";
        }
        std::cout << run(line) << std::endl;
    }
}
