// trace_replay: runs a trace of compositord --trace again and says whether the core did the same.

#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "broker/trace/replay.h"
#include "tools/compositorctl/console.h"
#include "tools/trace_replay/step_text.h"

namespace compositord::replay {
namespace {

struct Options {
  std::string file;
  bool print = false;
  bool inputs_only = false;
  std::uint64_t from = 1;
  std::uint64_t to = std::numeric_limits<std::uint64_t>::max();
};

void declare(CLI::App& app, Options& options) {
  app.set_version_flag("--version", std::string("trace_replay ") + COMPOSITORD_VERSION);
  app.add_option("file", options.file, "What compositord --trace has written")->required()->type_name("FILE");
  app.add_flag("--print", options.print, "Print every step: what went into the core, and what comes out now");
  app.add_option("--from", options.from, "Print from this step on")->type_name("N");
  app.add_option("--to", options.to, "Print up to this step")->type_name("N");
  app.add_flag("--inputs-only", options.inputs_only,
               "Don't compare the outputs, only run: for a trace that another version has recorded");
  app.footer(
      "Prints \"N inputs, M outputs, identical\" and ends with 0, or prints the first step whose outputs are others\n"
      "than those of the broker, and ends with 1; so it does when a record is damaged or an invariant is broken.");
}

class Runner {
 public:
  Runner(const Options& options, broker::Replay& replay) : options_(options), replay_(replay), dump_(dump_options()) {}

  int run() {
    replay_.set_before_step([this](const broker::NextStep& step) { announce(step); });
    for (;;) {
      Result<std::optional<broker::ReplayedStep>> step = replay_.next();
      if (!step) return complain(step.error().text);
      if (!*step) return finish();
      const std::string fault = look_at(**step);
      if (!fault.empty()) return complain(fault);
      if (!unwritten_.empty()) return give_up();
    }
  }

 private:
  static ctl::DumpOptions dump_options() {
    ctl::DumpOptions options;
    options.routing_ids = true;
    return options;
  }

  // Shown at once: of a step that crashes this program this is the last that is seen.
  void announce(const broker::NextStep& step) {
    if (!start_) start_ = step.at;
    if (!options_.print) return;
    show(step.number, input_text(step, step.at - *start_, replay_.unix_at(step.at), dump_));
  }

  // Why the replay can't go on, or nothing.
  std::string look_at(const broker::ReplayedStep& step) {
    ++steps_;
    outputs_ += step.digest.count;
    if (options_.print) show(step.number, outputs_text(step, replay_.unix_at(step.at), dump_));
    const bool same = options_.inputs_only || step.is_identical();
    if (same && step.invariants_hold) return {};
    if (!options_.print || !is_wanted(step.number)) {
      const UnixMs unix_at = replay_.unix_at(step.at);
      write(input_text({step.number, step.at, step.input}, step.at - *start_, unix_at, dump_));
      write(outputs_text(step, unix_at, dump_));
    }
    if (!step.invariants_hold) return fmt::format("step {}: an invariant of the core is broken", step.number);
    return fmt::format("step {} differs: the broker had {} outputs with digest {:016x}, here are {} with {:016x}",
                       step.number, step.recorded->count, step.recorded->digest, step.digest.count, step.digest.digest);
  }

  bool is_wanted(std::uint64_t number) const { return number >= options_.from && number <= options_.to; }
  // The text of others is made, too, and thrown away: who is p1 depends on who came first.
  void show(std::uint64_t number, const std::string& text) {
    if (is_wanted(number)) write(text);
  }
  void write(const std::string& text) {
    const ctl::Outcome<void> printed = console_.print(text);
    if (!printed && unwritten_.empty()) unwritten_ = printed.error().text;
  }

  int finish() {
    if (!replay_.cut_off().empty()) fmt::print(stderr, "trace_replay: {}\n", replay_.cut_off());
    write(fmt::format("{} inputs, {} outputs, {}\n", steps_, outputs_,
                      options_.inputs_only ? "not compared" : "identical"));
    return unwritten_.empty() ? 0 : give_up();
  }

  int give_up() const {
    fmt::print(stderr, "trace_replay: {}\n", unwritten_);
    return 1;
  }

  int complain(const std::string& text) {
    fmt::print(stderr, "trace_replay: {}\n", text);
    const std::string& recorded_by = replay_.header().software;
    if (recorded_by != COMPOSITORD_VERSION) {
      fmt::print(stderr, "trace_replay: this is version {}, the trace was recorded by {}\n", COMPOSITORD_VERSION,
                 recorded_by);
    }
    return 1;
  }

  const Options& options_;
  broker::Replay& replay_;
  ctl::Dump dump_;
  ctl::Console console_;
  std::string unwritten_;  // why standard output could not be written; empty: it could
  std::optional<Instant> start_;
  std::uint64_t steps_ = 0;
  std::uint64_t outputs_ = 0;
};

int program(int argc, char** argv) {
  CLI::App app("trace_replay: runs what compositord --trace has recorded again.");
  Options options;
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;  // --help and --version end here too
  }
  Result<broker::Replay> replay = broker::Replay::open(options.file);
  if (!replay) {
    fmt::print(stderr, "trace_replay: {}\n", replay.error().text);
    return 1;
  }
  return Runner(options, *replay).run();
}

}  // namespace
}  // namespace compositord::replay

int main(int argc, char** argv) { return compositord::replay::program(argc, argv); }
