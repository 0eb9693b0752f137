// The settings of the emulator.
//
// They stand in the environment variable CUDA_EMULATOR, as `key=value` separated by blanks or
// commas, and in the file that CUDA_EMULATOR_FILE names, as lines `key=value` in which blanks are
// part of the value and a line that begins with # is a comment. The last mention of a key counts,
// and the file is read after the variable. `device1.memory=4G` is for one card, `memory=4G` for
// every card that has none of its own.
//
// Nothing is remembered: each call reads the variable and the file, so that a test can change the
// file while a process runs, and there is no lock that a fork could leave locked. A place that
// asks often keeps the answer, or a SettingsText for several answers of one moment.
#ifndef CUDA_EMULATOR_SETTINGS_H
#define CUDA_EMULATOR_SETTINGS_H

#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace cuda_emulator {

// A wrong setting ends the process: a test that runs with other settings than it says is worthless.
[[noreturn]] inline void refuse_setting(const std::string& text) {
    std::fprintf(stderr, "cuda_emulator: %s\n", text.c_str());
    std::abort();
}

class SettingsText {
public:
    SettingsText() {
        if (const char* text = std::getenv("CUDA_EMULATOR")) add_list(text);
        const char* path = std::getenv("CUDA_EMULATOR_FILE");
        if (path && *path) add_lines(contents(path));
    }

    // All that was said, in order
    const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

    bool has(const std::string& key) const { return find(key) != nullptr; }

    std::string get(const std::string& key, const std::string& fallback = "") const {
        const std::string* value = find(key);
        return value ? *value : fallback;
    }

    std::string get_of(int device, const std::string& key, const std::string& fallback = "") const {
        const std::string* value = find("device" + std::to_string(device) + "." + key);
        return value ? *value : get(key, fallback);
    }

private:
    std::vector<std::pair<std::string, std::string>> entries_;

    const std::string* find(const std::string& key) const {
        for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
            if (entry->first == key) return &entry->second;
        return nullptr;
    }

    static std::string trimmed(const std::string& text) {
        std::size_t first = 0, last = text.size();
        while (first < last && std::isspace(static_cast<unsigned char>(text[first]))) ++first;
        while (last > first && std::isspace(static_cast<unsigned char>(text[last - 1]))) --last;
        return text.substr(first, last - first);
    }

    void add(const std::string& text, const char* where) {
        const std::size_t sign = text.find('=');
        const std::string key = trimmed(text.substr(0, sign));
        if (sign == std::string::npos || key.empty())
            refuse_setting(std::string(where) + " has no key=value in '" + text + "'");
        entries_.emplace_back(key, trimmed(text.substr(sign + 1)));
    }

    void add_list(const std::string& text) {
        std::string word;
        for (std::size_t i = 0; i <= text.size(); ++i) {
            const char sign = i < text.size() ? text[i] : ',';
            if (sign != ',' && !std::isspace(static_cast<unsigned char>(sign))) {
                word += sign;
            } else if (!word.empty()) {
                add(word, "CUDA_EMULATOR");
                word.clear();
            }
        }
    }

    void add_lines(const std::string& text) {
        for (std::size_t begin = 0; begin < text.size();) {
            std::size_t end = text.find('\n', begin);
            if (end == std::string::npos) end = text.size();
            const std::string line = trimmed(text.substr(begin, end - begin));
            if (!line.empty() && line[0] != '#') add(line, "CUDA_EMULATOR_FILE");
            begin = end + 1;
        }
    }

    static std::string contents(const char* path) {
        std::FILE* file = std::fopen(path, "re");
        if (!file) {
            if (errno == ENOENT) return "";  // it may come later
            refuse_setting(std::string(path) + " cannot be read: " + std::strerror(errno));
        }
        std::string text;
        char piece[4096];
        while (const std::size_t count = std::fread(piece, 1, sizeof piece, file))
            text.append(piece, count);
        std::fclose(file);
        return text;
    }
};

inline std::string setting(const char* key, const char* fallback) {
    return SettingsText().get(key, fallback);
}

inline std::string setting_of(int device, const char* key, const char* fallback) {
    return SettingsText().get_of(device, key, fallback);
}

// A number of bytes, with or without one of the suffixes K, M, G and T (powers of 1,024)
inline std::uint64_t parse_bytes(const std::string& text) {
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    int shift = 0;
    switch (*end) {
        case 'T': case 't': shift += 10; [[fallthrough]];
        case 'G': case 'g': shift += 10; [[fallthrough]];
        case 'M': case 'm': shift += 10; [[fallthrough]];
        case 'K': case 'k': shift += 10; ++end; break;
        default: break;
    }
    if (end == text.c_str() || *end || !(number >= 0) || number >= 9e18 / double(1ULL << shift))
        refuse_setting("'" + text + "' is no number of bytes");
    return static_cast<std::uint64_t>(number * double(1ULL << shift));
}

inline long parse_integer(const std::string& text) {
    char* end = nullptr;
    errno = 0;
    const long number = std::strtol(text.c_str(), &end, 0);
    if (text.empty() || *end || errno) refuse_setting("'" + text + "' is no integer");
    return number;
}

inline bool parse_switch(const std::string& text) {
    if (text == "on" || text == "1" || text == "yes" || text == "true") return true;
    if (text == "off" || text == "0" || text == "no" || text == "false") return false;
    refuse_setting("'" + text + "' is neither on nor off");
}

// "9.0" as {9, 0}; what is missing is 0
inline std::pair<int, int> parse_version(const std::string& text) {
    int major = 0, minor = 0;
    if (std::sscanf(text.c_str(), "%d.%d", &major, &minor) < 1)
        refuse_setting("'" + text + "' is no version");
    return {major, minor};
}

}  // namespace cuda_emulator

#endif
