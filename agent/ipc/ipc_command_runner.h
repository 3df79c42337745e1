#pragma once
// Carries out the commands of one compositor through its IPC, one at a time, and believes only what it reads back: sway 1.7 says
// success to things it does not do. A state machine without sockets: the driver asks it what to send and gives it the replies.
//
//   kIdle -> kReadBefore -> kChange -> kReadBack (asked again until it shows the wish, or kReadBackTime is over) -> kIdle
//   kReadBefore -> kCreate -> kFindNew (asked again until an output is there that was not) -> kChange    of output.add
//   kReadBack -> kChange               … the next wish: a compositor is told one after the other
//   kReadBack -> kTakeBack -> kIdle    a wish to switch off that was not fulfilled: the compositor would keep it for later,
//                                      and sway then refuses every other change of that output
//   kReadBack -> kUndo -> kUndoReadBack -> kUndo … -> kIdle   of output.configure, which is all or nothing

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/driver.h"
#include "agent/ipc/ipc_dialect.h"
#include "agent/output/output_command_queue.h"
#include "agent/output/output_undo.h"
#include "common/base/instant.h"

namespace compositord::agent {

class IpcCommandRunner {
 public:
  // An output changes within a frame or two; what isn't there after this long does not come.
  static constexpr Duration kReadBackTime = std::chrono::milliseconds(500);
  static constexpr Duration kReadBackInterval = std::chrono::milliseconds(20);

  struct Ask {
    IpcQuestion question = IpcQuestion::kOutputs;
    std::string text;
  };

  // The dialect must outlive this.
  explicit IpcCommandRunner(const IpcDialect& dialect) : dialect_(&dialect) {}

  // Queues it, or ends it at once: kMalformed, kNotFound, kLimit when the queue is full.
  void execute(std::uint64_t command_id, const std::string& method, const msg::Value& params, Instant now,
               Instant deadline, DriverOutputs& out);
  // What to send now, if anything. Once asked, the next reply must go to on_reply(), also when it comes late.
  std::optional<Ask> next_ask(Instant now);
  void on_reply(const std::string& payload, Instant now, DriverOutputs& out);
  // The IPC connection is lost, the compositor may live on: everything ends with kFailed.
  void on_connection_lost(DriverOutputs& out);
  // The compositor is gone: everything ends with kGone.
  void on_gone(DriverOutputs& out);
  // Ends what is over its deadline.
  void tick(Instant now, DriverOutputs& out);
  Instant next_deadline() const noexcept { return queue_.next_deadline(); }
  // When next_ask() has something; the past for "now", kNever while a reply is owed or nothing is to do.
  Instant next_ask_at() const noexcept;

 private:
  enum class Step { kIdle, kReadBefore, kCreate, kFindNew, kChange, kReadBack, kTakeBack, kUndo, kUndoReadBack };

  void on_before(const std::string& payload, Instant now, DriverOutputs& out);
  void begin_wish(const std::vector<KnownOutput>& outputs);
  void on_created(const std::string& payload, Instant now, DriverOutputs& out);
  void on_find_new(const std::string& payload, Instant now, DriverOutputs& out);
  // Whether it is sent already, so that nobody knows what becomes of it.
  bool is_sent() const noexcept;
  void on_changed(const std::string& payload, Instant now, DriverOutputs& out);
  void on_read_back(const std::string& payload, Instant now, DriverOutputs& out);
  void finish(Status status, std::string error, DriverOutputs& out);
  void fail_read_back(const std::vector<KnownOutput>& outputs, DriverOutputs& out);
  // It fails with this sentence; what was done of several wishes is taken back before.
  void fail_wish(std::string error, const std::vector<KnownOutput>& outputs, DriverOutputs& out);
  void undo_next(const std::vector<KnownOutput>& outputs, DriverOutputs& out);
  void on_undo_read_back(const std::string& payload, Instant now, DriverOutputs& out);
  OutputUndo::Shows shows() const;
  bool is_reading_again() const noexcept;
  std::string not_done() const;
  const OutputCommand& wish() const { return queue_.front().request.wishes[wish_]; }
  bool is_shown(const OutputCommand& wanted) const;

  const IpcDialect* dialect_;
  OutputCommandQueue queue_;  // the front one is at work unless kIdle
  std::size_t wish_ = 0;      // of the one at work: those before it are done
  KnownOutput before_wish_;
  std::vector<std::string> names_before_;  // of all outputs, for output.add
  std::string refusal_;                    // the compositor's own words to the one at work, when those were no success
  OutputUndo undo_;
  OutputCommand undo_wish_;  // that is told at kUndo
  std::string failure_;      // why it is undone
  Step step_ = Step::kIdle;
  bool asked_ = false;  // a reply is owed, perhaps to a command that has ended; nothing is asked before it came
  Instant ask_at_;      // the next read-back
  Instant give_up_at_ = kNever;
};

}  // namespace compositord::agent
