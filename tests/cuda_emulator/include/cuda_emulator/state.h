// What the processes that use emulated cards know of each other, as a driver would know it.
//
// The environment variable CUDA_EMULATOR_STATE names a file, created when the first process needs
// it, that all of them map. Without it a process keeps the same record to itself. The record is
// fixed in size and nothing in it is a pointer. In the byte order of the machine:
//
//     8 bytes    magic and version, "CUDAEMU1"
//     8 bytes    not used
//     128 slots, one for each process, of 16 + 16 * 32 bytes:
//         8 bytes    owner: the process's start time (field 22 of /proc/PID/stat) << 22 | PID;
//                    0: free; the highest bit is set while a slot is being prepared
//         8 bytes    image: differs after exec, which ends a process's use of its cards
//         16 cards, of 32 bytes:
//             8 bytes    device memory that the process holds, signed
//             8 bytes    kernels that it launched
//             4 bytes    kernels that it is running
//             4 bytes    1: it has a context on the card
//             8 bytes    not used
//
// A file of zeros is a record of nothing, so that whoever creates it need not be waited for. A
// process that ended without a word, by a signal for instance, is told by its start time: its slot
// counts no more and is given to the next one. There is no lock in the record for it to hold.
#ifndef CUDA_EMULATOR_STATE_H
#define CUDA_EMULATOR_STATE_H

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace cuda_emulator {

constexpr int max_devices = 16;
constexpr int max_processes = 128;

struct StateUse {
    std::atomic<std::int64_t> memory;
    std::atomic<std::uint64_t> launches;
    std::atomic<std::int32_t> running;
    std::atomic<std::uint32_t> context;
    std::uint64_t unused;
};

struct StateSlot {
    std::atomic<std::uint64_t> owner;
    std::atomic<std::uint64_t> image;
    StateUse uses[max_devices];
};

struct StateRecord {
    std::atomic<std::uint64_t> magic;
    std::uint64_t unused;
    StateSlot slots[max_processes];
};

static_assert(sizeof(StateUse) == 32 && sizeof(StateSlot) == 528 && sizeof(StateRecord) == 67600);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared by processes");

// One process's use of one card
struct ProcessUse {
    int pid;
    std::int64_t memory;
    std::uint64_t launches;
    int running;
};

class State {
public:
    State() {
        static_cast<void>(instance(this));
        pthread_atfork(before_fork, after_fork, in_child);
    }

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    // This process has a context on the card from now on.
    void attach(int device) { mine(device).context = 1; }

    // The context is gone, and with it all that it held.
    void detach(int device) {
        StateUse& use = mine(device);
        use.context = 0;
        use.memory = 0;
        use.running = 0;
    }

    void add_memory(int device, std::int64_t bytes) { mine(device).memory += bytes; }

    // Add memory only if all processes together then hold no more than `limit`. Two processes that
    // ask at the same time may both be refused where one would have fitted, never the reverse.
    bool try_memory(int device, std::int64_t bytes, std::int64_t limit) {
        StateUse& use = mine(device);
        use.memory += bytes;
        if (memory_used(device) <= limit) return true;
        use.memory -= bytes;
        return false;
    }

    void begin_kernel(int device) {
        StateUse& use = mine(device);
        ++use.launches;
        ++use.running;
    }

    void end_kernel(int device) { --mine(device).running; }

    // Memory that the living processes hold
    std::int64_t memory_used(int device) {
        std::int64_t sum = 0;
        for_each_living([&](int, const StateSlot& slot) { sum += slot.uses[checked(device)].memory; });
        return sum;
    }

    // The living processes that have a context on the card, by their slots
    std::vector<ProcessUse> processes(int device) {
        std::vector<ProcessUse> found;
        for_each_living([&](int pid, const StateSlot& slot) {
            const StateUse& use = slot.uses[checked(device)];
            if (use.context) found.push_back({pid, use.memory, use.launches, use.running});
        });
        return found;
    }

private:
    static constexpr std::uint64_t preparing = std::uint64_t(1) << 63;
    static constexpr std::uint64_t pid_mask = (std::uint64_t(1) << 22) - 1;

    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    std::atomic<StateRecord*> record_{nullptr};
    std::atomic<StateSlot*> slot_{nullptr};
    bool shared_ = false;

    __attribute__((visibility("default"))) static State* instance(State* made) {
        static State* only = made;
        return only;
    }

    // A child has the parent's mapping and its slot, but is a process of its own.
    static void before_fork() { pthread_mutex_lock(&instance(nullptr)->mutex_); }
    static void after_fork() { pthread_mutex_unlock(&instance(nullptr)->mutex_); }
    static void in_child() {
        State& state = *instance(nullptr);
        state.slot_ = nullptr;
        StateRecord* record = state.record_;
        if (record && !state.shared_)
            std::memset(static_cast<void*>(record->slots), 0, sizeof record->slots);
        pthread_mutex_unlock(&state.mutex_);
    }

    [[noreturn]] static void give_up(const std::string& text) {
        std::fprintf(stderr, "cuda_emulator: %s\n", text.c_str());
        std::abort();
    }

    static int checked(int device) {
        if (device < 0 || device >= max_devices)
            give_up("there is no card " + std::to_string(device) + " in the shared state");
        return device;
    }

    // The word by which a slot names its owner; 0 if there is no such process (any more)
    static std::uint64_t owner_word(int pid) {
        char path[32], text[1024];
        std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
        const int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0) return 0;
        const ssize_t length = read(file, text, sizeof text - 1);
        close(file);
        if (length <= 0) return 0;
        text[length] = 0;
        // The name, in parentheses, may hold anything; field 3 follows it.
        const char* field = std::strrchr(text, ')');
        if (!field || !field[1]) return 0;
        field += 2;
        if (*field == 'Z' || *field == 'X') return 0;  // ended, and not yet waited for
        for (int number = 3; number < 22; ++number) {
            field = std::strchr(field, ' ');
            if (!field) return 0;
            ++field;
        }
        return ((std::strtoull(field, nullptr, 10) << 22) | std::uint64_t(pid)) & ~preparing;
    }

    static bool lives(std::uint64_t owner) {
        owner &= ~preparing;
        return owner && owner_word(int(owner & pid_mask)) == owner;
    }

    static std::uint64_t this_image() {
        std::uint64_t word = 0;
        if (const unsigned long address = getauxval(AT_RANDOM))
            std::memcpy(&word, reinterpret_cast<const void*>(address), sizeof word);
        return word;
    }

    StateRecord* record() {
        if (StateRecord* record = record_) return record;
        pthread_mutex_lock(&mutex_);
        if (!record_) record_ = map();
        StateRecord* record = record_;
        pthread_mutex_unlock(&mutex_);
        return record;
    }

    StateRecord* map() {
        const char* path = std::getenv("CUDA_EMULATOR_STATE");
        shared_ = path && *path;
        int file = -1;
        if (shared_) {
            struct stat about;
            file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
            if (file < 0 || fstat(file, &about) != 0)
                give_up(std::string(path) + " cannot be opened: " + std::strerror(errno));
            if (about.st_size != 0 && about.st_size != off_t(sizeof(StateRecord)))
                give_up(std::string(path) + " is not a state of this emulator");
            if (ftruncate(file, sizeof(StateRecord)) != 0)
                give_up(std::string(path) + " cannot be written: " + std::strerror(errno));
        }
        void* memory = mmap(nullptr, sizeof(StateRecord), PROT_READ | PROT_WRITE,
                            shared_ ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, file, 0);
        if (memory == MAP_FAILED) give_up("the state cannot be mapped");
        if (file >= 0) close(file);
        StateRecord* record = static_cast<StateRecord*>(memory);
        std::uint64_t wanted, found = 0;
        std::memcpy(&wanted, "CUDAEMU1", sizeof wanted);
        if (!record->magic.compare_exchange_strong(found, wanted) && found != wanted)
            give_up(std::string(path) + " is not a state of this emulator");
        return record;
    }

    StateUse& mine(int device) {
        StateSlot* slot = slot_;
        if (!slot) {
            StateRecord* there = record();
            pthread_mutex_lock(&mutex_);
            if (!slot_) slot_ = claim(*there);
            slot = slot_;
            pthread_mutex_unlock(&mutex_);
        }
        return slot->uses[checked(device)];
    }

    static StateSlot* claim(StateRecord& record) {
        const std::uint64_t me = owner_word(getpid());
        if (!me) give_up("/proc tells nothing of this process");
        const std::uint64_t image = this_image();
        for (StateSlot& slot : record.slots) {
            if ((slot.owner & ~preparing) != me) continue;
            while (slot.owner == (me | preparing)) sched_yield();  // a second copy of this code
            if (slot.owner != me) continue;
            if (slot.image != image) prepare(slot, image);
            return &slot;
        }
        for (StateSlot& slot : record.slots) {
            std::uint64_t owner = slot.owner;
            if (owner && lives(owner)) continue;
            if (!slot.owner.compare_exchange_strong(owner, me | preparing)) continue;
            prepare(slot, image);
            slot.owner = me;
            return &slot;
        }
        give_up("more than " + std::to_string(max_processes) + " processes use the cards");
    }

    static void prepare(StateSlot& slot, std::uint64_t image) {
        for (StateUse& use : slot.uses) {
            use.memory = 0;
            use.launches = 0;
            use.running = 0;
            use.context = 0;
        }
        slot.image = image;
    }

    template <class Function>
    void for_each_living(Function function) {
        for (StateSlot& slot : record()->slots) {
            const std::uint64_t owner = slot.owner;
            if (!owner || owner & preparing) continue;
            if (&slot == slot_ || lives(owner)) function(int(owner & pid_mask), slot);
        }
    }
};

// One for all libraries of the process, however they are compiled. Never destroyed: destructors of
// static objects free device memory late.
__attribute__((visibility("default"))) inline State& state() {
    static State* only = new State;
    return *only;
}

}  // namespace cuda_emulator

#endif
