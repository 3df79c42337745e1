/* A client and a worker of MDP 0.1, as the ZeroMQ Guide has them: mdcliapi (REQ, tries again on a new socket), mdcliapi2
   (DEALER, many requests at once) and mdwrkapi. Written in our own words from what those do on the wire, on czmq, with their
   quirks and with none of our own code; README.md lists the quirks. What a peer can't expect is an assertion, as it is there:
   a broker that sends it has failed.

   mdp01 worker ENDPOINT SERVICE NAME HEARTBEAT_MS BACK_OFF_MS
   mdp01 client ENDPOINT SERVICE COUNT TIMEOUT_MS [HELD]
   mdp01 flood  ENDPOINT SERVICE COUNT TIMEOUT_MS
   mdp01 ask    ENDPOINT SERVICE BODY TIMEOUT_MS

   The lines that they print are described in README.md. */
#undef NDEBUG /* before czmq.h, which brings assert() */
#include <czmq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kLivenessMax = 3, kTriesMax = 3, kNamesMax = 16 };

static void say(const char* line) {
  puts(line);
  fflush(stdout);
}

static void take_text(zmsg_t* message, const char* expected) {
  zframe_t* frame = zmsg_pop(message);
  assert(frame && zframe_streq(frame, expected));
  zframe_destroy(&frame);
}

/* --- worker --------------------------------------------------------------------------------------------------------- */

struct worker {
  const char* endpoint;
  const char* service;
  const char* name;
  int heartbeat_ms;
  int back_off_ms;
  zsock_t* socket;
  int64_t heartbeat_at_ms;
  int liveness;
};

/* Takes over `body`, which may be null. */
static void worker_send(struct worker* self, const char* command, const char* option, zmsg_t* body) {
  zmsg_t* message = body ? body : zmsg_new();
  if (option) zmsg_pushstr(message, option);
  zmsg_pushstr(message, command);
  zmsg_pushstr(message, "MDPW01");
  zmsg_pushstr(message, "");
  zmsg_send(&message, self->socket);
}

static void worker_connect(struct worker* self) {
  zsock_destroy(&self->socket);
  self->socket = zsock_new(ZMQ_DEALER);
  assert(self->socket && zsock_connect(self->socket, "%s", self->endpoint) == 0);
  worker_send(self, "\x01", self->service, NULL);
  self->liveness = kLivenessMax;
  self->heartbeat_at_ms = zclock_mono() + self->heartbeat_ms;
  say("ready");
}

/* A body whose first frame is "hold", and whose second one is our name, is kept for ever; all else comes back with our name as
   one more frame. */
static void worker_answer(struct worker* self, zmsg_t* message) {
  zframe_t* address = zmsg_unwrap(message);
  zframe_t* order = zmsg_first(message);
  zframe_t* whom = zmsg_next(message);
  if (order && whom && zframe_streq(order, "hold") && zframe_streq(whom, self->name)) {
    say("holding");
    zframe_destroy(&address);
    zmsg_destroy(&message);
    return;
  }
  zmsg_addstr(message, self->name);
  zmsg_wrap(message, address);
  worker_send(self, "\x03", NULL, message);
}

static void worker_receive(struct worker* self) {
  zmsg_t* message = zmsg_recv(self->socket);
  if (!message) exit(1);
  self->liveness = kLivenessMax;
  assert(zmsg_size(message) >= 3);
  take_text(message, "");
  take_text(message, "MDPW01");
  zframe_t* command = zmsg_pop(message);
  assert(zframe_size(command) == 1);
  int byte = *zframe_data(command);
  zframe_destroy(&command);
  if (byte == 2) {
    worker_answer(self, message);
    return;
  }
  zmsg_destroy(&message);
  if (byte == 4) {
    say("heartbeat");
  } else {
    assert(byte == 5);
    say("disconnected");
    worker_connect(self);
  }
}

static int run_worker(char** arguments) {
  struct worker self = {.endpoint = arguments[0],
                        .service = arguments[1],
                        .name = arguments[2],
                        .heartbeat_ms = atoi(arguments[3]),
                        .back_off_ms = atoi(arguments[4])};
  worker_connect(&self);
  for (;;) {
    zmq_pollitem_t item = {zsock_resolve(self.socket), 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, self.heartbeat_ms) < 0) return 1;
    if (item.revents & ZMQ_POLLIN) {
      worker_receive(&self);
    } else if (--self.liveness == 0) {
      say("lost");
      zmq_poll(NULL, 0, self.back_off_ms);
      worker_connect(&self);
    }
    if (zclock_mono() > self.heartbeat_at_ms) {
      worker_send(&self, "\x04", NULL, NULL);
      self.heartbeat_at_ms = zclock_mono() + self.heartbeat_ms;
    }
  }
}

/* --- clients -------------------------------------------------------------------------------------------------------- */

/* Who answered how often; at most kNamesMax different workers. */
struct tally {
  char* names[kNamesMax];
  int answers[kNamesMax];
  int count;
};

static void count_answer(struct tally* tally, char* name) {
  int i = 0;
  while (i < tally->count && strcmp(tally->names[i], name) != 0) ++i;
  assert(i < kNamesMax);
  if (i == tally->count) {
    tally->names[tally->count++] = name;
  } else {
    free(name);
  }
  ++tally->answers[i];
}

static int report(struct tally* tally, int answered, int wanted, int reconnects) {
  printf("answered %d reconnects=%d", answered, reconnects);
  for (int i = 0; i < tally->count; ++i) {
    printf(" %s=%d", tally->names[i], tally->answers[i]);
    free(tally->names[i]);
  }
  say("");
  return answered == wanted ? 0 : 1;
}

/* Frames that only an opaque transport leaves alone: an empty one, bytes that end strings. */
static zmsg_t* request_body(const char* order, const char* whom, int number) {
  zmsg_t* body = zmsg_new();
  zmsg_addstr(body, order);
  zmsg_addstr(body, whom);
  zmsg_addstr(body, "");
  zmsg_addmem(body, "\x00\xff\x04", 3);
  zmsg_addstrf(body, "%d", number);
  return body;
}

/* Takes the request's five frames off the front, and checks them; returns its number, and leaves the worker's name. */
static int take_echo(zmsg_t* reply, const char* order, const char* whom) {
  take_text(reply, order);
  take_text(reply, whom);
  take_text(reply, "");
  zframe_t* bytes = zmsg_pop(reply);
  assert(bytes && zframe_size(bytes) == 3 && memcmp(zframe_data(bytes), "\x00\xff\x04", 3) == 0);
  zframe_destroy(&bytes);
  char* number = zmsg_popstr(reply);
  assert(number && zmsg_size(reply) == 1);
  int result = atoi(number);
  free(number);
  return result;
}

struct client {
  const char* endpoint;
  const char* service;
  int timeout_ms;
  zsock_t* socket;
  int reconnects;
};

static void client_connect(struct client* self, int type) {
  zsock_destroy(&self->socket);
  self->socket = zsock_new(type);
  assert(self->socket && zsock_connect(self->socket, "%s", self->endpoint) == 0);
}

static bool client_wait(struct client* self) {
  zmq_pollitem_t item = {zsock_resolve(self->socket), 0, ZMQ_POLLIN, 0};
  return zmq_poll(&item, 1, self->timeout_ms) > 0;
}

static zmsg_t* client_take(struct client* self) {
  zmsg_t* reply = zmsg_recv(self->socket);
  assert(reply && zmsg_size(reply) >= 3);
  take_text(reply, "MDPC01");
  take_text(reply, self->service);
  return reply;
}

/* One request on a REQ socket, which writes the delimiter itself. Takes over `body`. Null: no answer to any of the tries. */
static zmsg_t* client_call(struct client* self, zmsg_t* body) {
  zmsg_pushstr(body, self->service);
  zmsg_pushstr(body, "MDPC01");
  zmsg_t* reply = NULL;
  for (int left = kTriesMax; left && !reply; --left) {
    zmsg_t* copy = zmsg_dup(body);
    zmsg_send(&copy, self->socket);
    if (client_wait(self)) {
      reply = client_take(self);
    } else {
      client_connect(self, ZMQ_REQ);
      ++self->reconnects;
      say("again");
    }
  }
  zmsg_destroy(&body);
  return reply;
}

/* With HELD the first request is one that the worker of this name keeps. What all tries were in vain for is asked again: the
   test that started us knows how long that may last. */
static int run_client(char** arguments, const char* held) {
  struct client self = {.endpoint = arguments[0], .service = arguments[1], .timeout_ms = atoi(arguments[3])};
  int count = atoi(arguments[2]);
  struct tally tally = {.count = 0};
  client_connect(&self, ZMQ_REQ);
  for (int i = 0; i < count; ++i) {
    const char* order = held && i == 0 ? "hold" : "echo";
    const char* whom = held ? held : "";
    zmsg_t* reply = NULL;
    while (!reply) reply = client_call(&self, request_body(order, whom, i));
    assert(take_echo(reply, order, whom) == i);
    count_answer(&tally, zmsg_popstr(reply));
    zmsg_destroy(&reply);
    if (i == 0) say("serving");
  }
  zsock_destroy(&self.socket);
  return report(&tally, count, count, self.reconnects);
}

/* All requests first, then all answers, in any order. */
static int run_flood(char** arguments) {
  struct client self = {.endpoint = arguments[0], .service = arguments[1], .timeout_ms = atoi(arguments[3])};
  int count = atoi(arguments[2]), answered = 0;
  struct tally tally = {.count = 0};
  bool* seen = calloc((size_t)count, sizeof *seen);
  assert(seen);
  client_connect(&self, ZMQ_DEALER);
  for (int i = 0; i < count; ++i) {
    zmsg_t* request = request_body("echo", "", i);
    zmsg_pushstr(request, self.service);
    zmsg_pushstr(request, "MDPC01");
    zmsg_pushstr(request, "");
    zmsg_send(&request, self.socket);
  }
  for (; answered < count && client_wait(&self); ++answered) {
    zmsg_t* reply = zmsg_recv(self.socket);
    take_text(reply, "");
    take_text(reply, "MDPC01");
    take_text(reply, self.service);
    int number = take_echo(reply, "echo", "");
    assert(number >= 0 && number < count && !seen[number]);
    seen[number] = true;
    count_answer(&tally, zmsg_popstr(reply));
    zmsg_destroy(&reply);
  }
  free(seen);
  zsock_destroy(&self.socket);
  return report(&tally, answered, count, 0);
}

static int run_ask(char** arguments) {
  struct client self = {.endpoint = arguments[0], .service = arguments[1], .timeout_ms = atoi(arguments[3])};
  client_connect(&self, ZMQ_REQ);
  zmsg_t* body = zmsg_new();
  zmsg_addstr(body, arguments[2]);
  zmsg_t* reply = client_call(&self, body);
  zsock_destroy(&self.socket);
  if (!reply) return 1;
  char* text = zmsg_popstr(reply);
  say(text);
  free(text);
  zmsg_destroy(&reply);
  return 0;
}

int main(int count, char** arguments) {
  if (count == 7 && strcmp(arguments[1], "worker") == 0) return run_worker(arguments + 2);
  if ((count == 6 || count == 7) && strcmp(arguments[1], "client") == 0) return run_client(arguments + 2, arguments[6]);
  if (count == 6 && strcmp(arguments[1], "flood") == 0) return run_flood(arguments + 2);
  if (count == 6 && strcmp(arguments[1], "ask") == 0) return run_ask(arguments + 2);
  fputs("usage: mdp01 worker|client|flood|ask ENDPOINT SERVICE ...\n", stderr);
  return 2;
}
