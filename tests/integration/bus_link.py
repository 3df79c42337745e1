#!/usr/bin/python3
"""An agent's process dies, freezes, leaves and returns: what the feed says, in which order."""

import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py"))
import calls
import feed
import programs

WALL = "wall-3/wayland-1"
AGENT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "support", "py", "agent_process.py")


class Link(unittest.TestCase):
    def setUp(self):
        stack = programs.contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.broker = stack.enter_context(programs.broker())
        self.subscriber = stack.enter_context(feed.Subscriber(self.broker.feed, "status/", "alert/", "bus/"))
        self.stack = stack

    def start_agent(self, heartbeat_ms):
        agent = self.stack.enter_context(
            programs.Program([sys.executable, AGENT, self.broker.bus, WALL, str(heartbeat_ms)]))
        self.subscriber.wait_for_topic("status/" + WALL, lambda status: status["verdict"] == "ok")
        return agent

    def links_and_alerts(self):
        """What was published, in order: link states without repetition, and alerts."""
        story = []
        for message in self.subscriber.seen:
            if message.kind == "status":
                step = message.payload["link"]["state"]
            elif message.kind == "alert":
                step = (message.payload["state"], message.payload["layer"])
            else:
                continue
            if not story or story[-1] != step:
                story.append(step)
        return story

    def wait_for_alert(self, state, layer):
        return self.subscriber.wait_for(
            lambda m: m.kind == "alert" and (m.payload["state"], m.payload["layer"]) == (state, layer)).payload

    def test_a_killed_agent_is_lost_at_once(self):
        agent = self.start_agent(heartbeat_ms=5_000)  # heartbeats would need 15 s
        killed_at = time.monotonic()
        agent.signal(signal.SIGKILL)
        alert = self.wait_for_alert("firing", "link")
        took_s = time.monotonic() - killed_at
        self.assertLess(took_s, 5, "not the heartbeats: the closed connection told it")
        self.assertEqual((alert["id"], alert["severity"], alert["text"]), (WALL, "warning", "the agent is lost"))
        self.assertEqual(self.links_and_alerts()[-2:], ["lost", ("firing", "link")])
        status = [m.payload for m in self.subscriber.seen if m.kind == "status"][-1]
        self.assertEqual((status["verdict"], status["layer"], status["summary"]), ("unknown", "link", "COMPOSITE_ERROR"))
        # Lost is not down: what the compositor's process did is what was last known of it.
        self.assertEqual(status["process"]["state"], "running")
        self.broker.wait_for_log("worker.lost id=" + WALL)
        # And back: nothing is resolved before the new agent has spoken for its compositor.
        self.start_agent(heartbeat_ms=5_000)
        self.assertEqual(self.wait_for_alert("resolved", "link")["since"], alert["since"])
        story = self.links_and_alerts()
        self.assertEqual(story[story.index("lost"):], ["lost", ("firing", "link"), "connected", ("resolved", "link")])
        print(f"a killed agent was on the feed after {took_s * 1_000:.1f} ms")

    def test_a_stopped_agent_is_suspect_then_lost_and_returns(self):
        agent = self.start_agent(heartbeat_ms=400)
        stopped_at = time.monotonic()
        agent.signal(signal.SIGSTOP)
        self.wait_for_alert("firing", "link")
        took_s = time.monotonic() - stopped_at
        self.assertGreater(took_s, 0.4, "an interval of silence is forgiven")
        self.assertEqual(self.links_and_alerts()[-3:], ["suspect", "lost", ("firing", "link")])
        agent.signal(signal.SIGCONT)
        self.wait_for_alert("resolved", "link")
        agent.wait_for(lambda: agent.out.count("online") >= 2, "a second session, begun by DISCONNECT")
        print(f"a stopped agent was lost after {took_s:.2f} s of 3 × 0.4 s")

    def test_an_agent_that_leaves_is_no_loss_but_its_compositor_is_unknown(self):
        with calls.PythonAgent(self.broker.bus, WALL) as agent:
            agent.come_online()
            agent.ask("leave")
            alert = self.wait_for_alert("firing", "link")
        self.assertEqual(alert["text"], "the agent signed off")
        self.assertEqual(self.links_and_alerts()[-2:], ["left", ("firing", "link")])

    def test_a_command_under_which_the_agent_dies_ends_with_410(self):
        agent = self.start_agent(heartbeat_ms=5_000)
        with calls.Caller(self.broker.bus) as caller:
            caller.start("compositor/" + WALL, "output.scale")  # this agent never answers commands
            with calls.Caller(self.broker.bus) as other:
                self.wait_until_routed(other)
            agent.signal(signal.SIGKILL)
            reply = caller.finish()
            self.assertEqual(reply.status, 410)
            self.assertIn("unknown", reply.error)
            self.assertEqual(caller.call("compositor/" + WALL, "output.scale").status, 503)

    def wait_until_routed(self, caller):
        deadline = time.monotonic() + programs.PATIENCE_S
        while caller.counters()["requests_routed"] == 0:
            self.assertLess(time.monotonic(), deadline)
            caller.socket.poll(5)

    def test_agents_see_a_new_broker_by_disconnect(self):
        with programs.temporary_folder() as folder:
            with programs.Broker(folder) as first:
                bus = first.bus
                agent = self.stack.enter_context(programs.Program([sys.executable, AGENT, bus, WALL, "200"]))
                agent.wait_for(lambda: agent.out.count("online") == 1, "the first session")
                epoch = self.epoch(bus)
                first.signal(signal.SIGKILL)
                first.wait()
            with programs.Broker(folder, bus=bus) as second:
                agent.wait_for(lambda: agent.out.count("online") == 2, "the second session")
                self.assertGreater(self.epoch(second.bus), epoch)

    def epoch(self, bus):
        with calls.Caller(bus) as caller:
            return caller.call("bus.admin", "config").result["epoch"]


if __name__ == "__main__":
    unittest.main()
