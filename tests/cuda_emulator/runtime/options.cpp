#include "options.h"

#include <cstdlib>

#include "cuda_emulator/settings.h"

namespace cuda_emulator {

namespace {

Options read_options() {
    const SettingsText text;
    Options found;
    found.order = parse_order(text.get("order", "forward"));
    const std::string poison = text.get("poison", "0xFF");
    found.poison = poison == "off" ? -1 : int(parse_integer(poison)) & 0xFF;
    found.strict = parse_switch(text.get("strict", "off"));
    const char* blocking = std::getenv("CUDA_LAUNCH_BLOCKING");
    found.blocking =
        parse_switch(text.get("blocking", "off")) || (blocking && std::string(blocking) == "1");
    found.kernel_threads = int(parse_integer(text.get("kernel_threads", "1024")));
    found.registers = int(parse_integer(text.get("registers", "32")));
    const std::string races = text.get("races", "fatal");
    if (races == "report")
        found.races = Options::shown;
    else if (races == "off")
        found.races = Options::unchecked;
    else if (races != "fatal")
        refuse_setting("races is off, report or fatal, not '" + races + "'");
    const std::string leaks = text.get("leaks", "off");
    if (leaks == "report")
        found.leaks = Options::report;
    else if (leaks == "fatal")
        found.leaks = Options::fatal;
    else if (leaks != "off")
        refuse_setting("leaks is off, report or fatal, not '" + leaks + "'");
    return found;
}

}  // namespace

const Options& options() {
    static const Options* found = new Options(read_options());
    return *found;
}

}  // namespace cuda_emulator
