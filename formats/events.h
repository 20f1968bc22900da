// SPDX-License-Identifier: Apache-2.0
// The table of event kinds: the one place that says what the recorder can note and what it means.
// Recorder, encoder, decoder, `inspect-analyze dump` and the format page all follow from it.
#ifndef FORMATS_EVENTS_H
#define FORMATS_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

// What a field holds. The encoding of a column follows from its type (see block.h).
#define TRACE_FIELD_TABLE(FIELD)                                                                   \
  FIELD(NONE, "no field")                                                                          \
  FIELD(ADDRESS, "address in the recorded process")                                                \
  FIELD(COUNT, "unsigned number")                                                                  \
  FIELD(SIZE, "bytes")                                                                             \
  FIELD(RESULT, "signed result, zigzag: value or -errno")                                          \
  FIELD(DESCRIPTOR, "file descriptor")                                                             \
  FIELD(THREAD, "kernel thread or process id")                                                     \
  FIELD(TICKS, "duration in clock ticks")                                                          \
  FIELD(LOCK, "lock bits: TRACE_LOCK_*")                                                           \
  FIELD(TOKEN, "64 bits that only the program understands (epoll data)")                           \
  FIELD(PAIR, "two numbers of 32 bits: low, high")                                                 \
  FIELD(FRAMES, "payload: TRACE_STACK_* flags, then return addresses, innermost first")            \
  FIELD(TEXT, "payload: an id, a length in bytes, then the bytes, zero-padded to words")           \
  FIELD(MODULE, "payload: trace_module_t as words, then build id, then path, zero-padded")

typedef enum {
#define FIELD(name, text) TRACE_FIELD_##name,
  TRACE_FIELD_TABLE(FIELD)
#undef FIELD
} trace_field_type_t;

typedef enum {
  TRACE_FAMILY_FACT,
  TRACE_FAMILY_THREAD,
  TRACE_FAMILY_LOCK,
  TRACE_FAMILY_HEAP,
  TRACE_FAMILY_DESCRIPTOR,
  TRACE_FAMILY_PROCESS,
  TRACE_FAMILY_COUNT
} trace_family_t;

// EVENT(number, NAME, "name", FAMILY, STACK|BARE, ARG(type, "name"), WORDS(WORD(type, "name")...),
// "meaning")
//
// A number is never reused. STACK: the header carries the number of the stack that made the call
// (0: not taken). ARG sits in the header when it fits. A kind whose WORDS hold a payload type
// (FRAMES, TEXT, MODULE) has a payload of ARG words. Facts define things that other records name;
// they are kept when a bounded recording drops old events.
#define TRACE_EVENT_TABLE(EVENT)                                                                   \
  EVENT(1, STACK, "stack", FACT, STACK, ARG(COUNT, "words"), WORDS(WORD(FRAMES, "frames")),        \
        "defines the stack number in the header for this lane, until it is defined again")         \
  EVENT(2, MODULE, "module", FACT, BARE, ARG(COUNT, "words"), WORDS(WORD(MODULE, "module")),       \
        "a file mapped as code, from here on")                                                     \
  EVENT(3, MODULE_GONE, "module-gone", FACT, BARE, ARG(NONE, ""), WORDS(WORD(ADDRESS, "start")),   \
        "the module that starts there is unloaded")                                                \
  EVENT(4, PROPERTY, "property", FACT, BARE, ARG(COUNT, "words"), WORDS(WORD(TEXT, "text")),       \
        "key=value about the run; the keys are in trace.h")                                        \
  EVENT(5, CLOCK, "clock", FACT, BARE, ARG(NONE, ""),                                              \
        WORDS(WORD(COUNT, "ticks"), WORD(COUNT, "monotonic_ns"), WORD(COUNT, "realtime_ns")),      \
        "the three clocks at one moment; times are fitted to these")                               \
  EVENT(6, LOST, "lost", FACT, BARE, ARG(COUNT, "kind"),                                           \
        WORDS(WORD(COUNT, "events"), WORD(COUNT, "reason")),                                       \
        "so many events of a kind are missing from this lane so far (lane 0: from the trace); "    \
        "kind 0, unknown, counts what is missing here")                                            \
  EVENT(7, END, "end", FACT, BARE, ARG(COUNT, "how"), WORDS(WORD(RESULT, "status")),               \
        "nothing follows: how the process ended (TRACE_END_*), exit status if known; of one that " \
        "died 128 and the signal")                                                                 \
  EVENT(8, OVERHEAD, "overhead", FACT, BARE, ARG(NONE, ""),                                        \
        WORDS(WORD(COUNT, "writer_cpu_ns"), WORD(COUNT, "waits"), WORD(TICKS, "waited")),          \
        "what recording cost: CPU of the writer, waits of the program for a full ring")            \
  EVENT(9, LANE, "lane", FACT, BARE, ARG(THREAD, "tid"), WORDS(WORD(ADDRESS, "handle")),           \
        "who writes this lane; what a thread-start in a block of facts means, too")                \
  EVENT(10, PENDING, "pending", FACT, STACK, ARG(COUNT, "what"),                                   \
        WORDS(WORD(ADDRESS, "object"), WORD(ADDRESS, "second"), WORD(COUNT, "since_ticks")),       \
        "the call this thread was in when the record ends: TRACE_PENDING_*")                       \
  EVENT(16, THREAD_START, "thread-start", THREAD, BARE, ARG(THREAD, "tid"),                        \
        WORDS(WORD(ADDRESS, "handle"), WORD(ADDRESS, "routine")),                                  \
        "a thread takes this lane; routine is 0 where its start was not seen")                     \
  EVENT(17, THREAD_CREATE, "thread-create", THREAD, STACK, ARG(RESULT, "result"),                  \
        WORDS(WORD(ADDRESS, "handle"), WORD(ADDRESS, "routine")), "pthread_create returned")       \
  EVENT(18, THREAD_END, "thread-end", THREAD, BARE, ARG(COUNT, "ran_ns"),                          \
        WORDS(WORD(ADDRESS, "handle")),                                                            \
        "the thread runs its last destructors; the lane may go to another thread; its time on a "  \
        "processor, 0: not known")                                                                 \
  EVENT(19, THREAD_JOIN, "thread-join", THREAD, STACK, ARG(RESULT, "result"),                      \
        WORDS(WORD(ADDRESS, "handle"), WORD(TICKS, "wait")), "a join returned")                    \
  EVENT(20, THREAD_DETACH, "thread-detach", THREAD, STACK, ARG(RESULT, "result"),                  \
        WORDS(WORD(ADDRESS, "handle")), "pthread_detach returned, or it was created so")           \
  EVENT(21, THREAD_NAME, "thread-name", THREAD, BARE, ARG(COUNT, "words"),                         \
        WORDS(WORD(TEXT, "name")), "the thread with the handle in id is called so")                \
  EVENT(22, THREAD_CANCEL, "thread-cancel", THREAD, STACK, ARG(RESULT, "result"),                  \
        WORDS(WORD(ADDRESS, "handle")), "pthread_cancel returned")                                 \
  EVENT(23, THREAD_AFFINITY, "thread-affinity", THREAD, STACK, ARG(COUNT, "processors"),           \
        WORDS(WORD(ADDRESS, "handle")), "the thread was bound to that many processors")            \
  EVENT(24, THREAD_SCHEDULED, "thread-scheduled", FACT, BARE, ARG(THREAD, "tid"),                  \
        WORDS(WORD(COUNT, "ran_ns"), WORD(COUNT, "waited_ns")),                                    \
        "what the kernel had counted so far: time on a processor, and runnable but not on one")    \
  EVENT(32, LOCK_INIT, "lock-init", LOCK, STACK, ARG(LOCK, "lock"),                                \
        WORDS(WORD(ADDRESS, "object")), "initialised")                                             \
  EVENT(33, LOCK_DESTROY, "lock-destroy", LOCK, STACK, ARG(LOCK, "lock"),                          \
        WORDS(WORD(ADDRESS, "object")), "destroyed")                                               \
  EVENT(34, LOCK_ACQUIRE, "lock-acquire", LOCK, STACK, ARG(LOCK, "lock"),                          \
        WORDS(WORD(ADDRESS, "object")), "acquired without waiting; logged after the call")         \
  EVENT(35, LOCK_WAIT, "lock-wait", LOCK, STACK, ARG(LOCK, "lock"),                                \
        WORDS(WORD(ADDRESS, "object"), WORD(TICKS, "wait")),                                       \
        "acquired after waiting that long; the stamp is the end of the wait")                      \
  EVENT(36, LOCK_FAIL, "lock-fail", LOCK, STACK, ARG(LOCK, "lock"),                                \
        WORDS(WORD(ADDRESS, "object"), WORD(TICKS, "wait"), WORD(RESULT, "result")),               \
        "not acquired: busy, timed out, refused")                                                  \
  EVENT(37, LOCK_RELEASE, "lock-release", LOCK, BARE, ARG(LOCK, "lock"),                           \
        WORDS(WORD(ADDRESS, "object")), "about to be released; logged before the call")            \
  EVENT(38, COND_WAIT, "cond-wait", LOCK, STACK, ARG(RESULT, "result"),                            \
        WORDS(WORD(ADDRESS, "condition"), WORD(ADDRESS, "mutex"), WORD(TICKS, "wait")),            \
        "a wait on a condition returned; a lock-release of the mutex stands where it began and a " \
        "lock-acquire follows, both with TRACE_LOCK_BY_CONDITION")                                 \
  EVENT(39, COND_SIGNAL, "cond-signal", LOCK, STACK, ARG(COUNT, "broadcast"),                      \
        WORDS(WORD(ADDRESS, "condition")), "about to signal one (0) or all (1)")                   \
  EVENT(40, LOCK_REPAIR, "lock-repair", LOCK, STACK, ARG(RESULT, "result"),                        \
        WORDS(WORD(ADDRESS, "object")), "pthread_mutex_consistent returned")                       \
  EVENT(41, BARRIER_WAIT, "barrier-wait", LOCK, STACK, ARG(RESULT, "result"),                      \
        WORDS(WORD(ADDRESS, "barrier"), WORD(TICKS, "wait")), "a wait at a barrier returned")      \
  EVENT(42, BARRIER_INIT, "barrier-init", LOCK, STACK, ARG(COUNT, "parties"),                      \
        WORDS(WORD(ADDRESS, "barrier")), "a barrier was initialised for so many threads")          \
  EVENT(43, SEMAPHORE_INIT, "semaphore-init", LOCK, STACK, ARG(COUNT, "value"),                    \
        WORDS(WORD(ADDRESS, "object"), WORD(LOCK, "lock")),                                        \
        "a semaphore was initialised or opened; waits on it are acquisitions, posts releases")     \
  EVENT(44, FUTEX_WAIT, "futex-wait", LOCK, STACK, ARG(RESULT, "result"),                          \
        WORDS(WORD(ADDRESS, "word"), WORD(TICKS, "wait")),                                         \
        "the program's own futex wait returned; who owns what is unknown")                         \
  EVENT(45, FUTEX_WAKE, "futex-wake", LOCK, STACK, ARG(RESULT, "woken"),                           \
        WORDS(WORD(ADDRESS, "word")), "the program's own futex wake")                              \
  EVENT(46, LOCK_SHARED_AT, "lock-shared-at", FACT, BARE, ARG(COUNT, "device"),                    \
        WORDS(WORD(ADDRESS, "object"), WORD(COUNT, "inode"), WORD(COUNT, "offset")),               \
        "a process-shared lock: the file and place behind its address (all 0: not known)")         \
  EVENT(47, LOCK_MEMORY_FREED, "lock-memory-freed", LOCK, BARE, ARG(SIZE, "size"),                 \
        WORDS(WORD(ADDRESS, "start")),                                                             \
        "a block in which locks may lie goes back to the allocator, or has moved; for those of "   \
        "which no free is recorded")                                                               \
  EVENT(64, ALLOCATE, "allocate", HEAP, STACK, ARG(SIZE, "size"), WORDS(WORD(ADDRESS, "block")),   \
        "a block was given; logged after the call")                                                \
  EVENT(65, FREE, "free", HEAP, BARE, ARG(NONE, ""), WORDS(WORD(ADDRESS, "block")),                \
        "a block is about to be given back; logged before the call")                               \
  EVENT(66, REALLOCATE_START, "reallocate-start", HEAP, BARE, ARG(NONE, ""),                       \
        WORDS(WORD(ADDRESS, "block")), "a block may be about to move")                             \
  EVENT(67, REALLOCATE, "reallocate", HEAP, STACK, ARG(SIZE, "size"),                              \
        WORDS(WORD(ADDRESS, "old"), WORD(ADDRESS, "block")),                                       \
        "realloc returned; block 0 with size > 0: failed, old is as it was; with size 0: freed")   \
  EVENT(68, MAP, "map", HEAP, STACK, ARG(SIZE, "size"),                                            \
        WORDS(WORD(ADDRESS, "start"), WORD(PAIR, "flags_and_descriptor")), "mmap gave memory")     \
  EVENT(69, UNMAP, "unmap", HEAP, BARE, ARG(SIZE, "size"), WORDS(WORD(ADDRESS, "start")),          \
        "memory is about to be unmapped")                                                          \
  EVENT(70, REMAP, "remap", HEAP, STACK, ARG(SIZE, "size"),                                        \
        WORDS(WORD(ADDRESS, "old"), WORD(ADDRESS, "start"), WORD(SIZE, "old_size")),               \
        "mremap returned")                                                                         \
  EVENT(79, EPOLL_HELD, "epoll-held", DESCRIPTOR, BARE, ARG(DESCRIPTOR, "descriptor"),             \
        WORDS(WORD(COUNT, "epoll"), WORD(TOKEN, "data"), WORD(COUNT, "events")),                   \
        "found in an epoll set from before this process, or image, as it first waited there")      \
  EVENT(80, EPOLL_CREATE, "epoll-create", DESCRIPTOR, STACK, ARG(DESCRIPTOR, "epoll"), NO_WORDS,   \
        "an epoll instance was made")                                                              \
  EVENT(81, EPOLL_CTL, "epoll-ctl", DESCRIPTOR, STACK, ARG(COUNT, "operation"),                    \
        WORDS(WORD(PAIR, "epoll_and_descriptor"), WORD(TOKEN, "data"),                             \
              WORD(PAIR, "events_and_errno")),                                                     \
        "EPOLL_CTL_ADD 1, DEL 2, MOD 3")                                                           \
  EVENT(82, EPOLL_WAIT, "epoll-wait", DESCRIPTOR, STACK, ARG(RESULT, "ready"),                     \
        WORDS(WORD(PAIR, "epoll_and_asked"), WORD(TICKS, "wait"), WORD(RESULT, "timeout_ms")),     \
        "a wait returned; that many ready records follow")                                         \
  EVENT(83, READY, "ready", DESCRIPTOR, BARE, ARG(COUNT, "events"), WORDS(WORD(TOKEN, "data")),    \
        "one of the events that the epoll-wait before returned")                                   \
  EVENT(84, READ, "read", DESCRIPTOR, BARE, ARG(DESCRIPTOR, "descriptor"),                         \
        WORDS(WORD(RESULT, "result"), WORD(TICKS, "duration")),                                    \
        "read from a descriptor that is, or was, in a loop, was accepted from one that is, was "   \
        "connected, or is a pipe, socket pair or eventfd")                                         \
  EVENT(85, WRITE, "write", DESCRIPTOR, BARE, ARG(DESCRIPTOR, "descriptor"),                       \
        WORDS(WORD(RESULT, "result"), WORD(TICKS, "duration")), "written to such a descriptor")    \
  EVENT(86, ACCEPT, "accept", DESCRIPTOR, STACK, ARG(DESCRIPTOR, "listener"),                      \
        WORDS(WORD(RESULT, "result"), WORD(TICKS, "duration")),                                    \
        "a connection taken from a listener; result is its descriptor")                            \
  EVENT(87, CLOSE, "close", DESCRIPTOR, BARE, ARG(DESCRIPTOR, "descriptor"), NO_WORDS,             \
        "such a descriptor is about to be closed")                                                 \
  EVENT(88, DESCRIPTOR_OPEN, "descriptor-open", DESCRIPTOR, STACK, ARG(DESCRIPTOR, "descriptor"),  \
        WORDS(WORD(COUNT, "what"), WORD(RESULT, "other")),                                         \
        "a descriptor came to be: TRACE_DESCRIPTOR_*; other: its pair, or what it is a copy of")   \
  EVENT(89, DESCRIPTOR_NAME, "descriptor-name", DESCRIPTOR, BARE, ARG(COUNT, "words"),             \
        WORDS(WORD(TEXT, "name")),                                                                 \
        "the descriptor in id: what it is, local and peer address or path")                        \
  EVENT(90, CONNECT, "connect", DESCRIPTOR, STACK, ARG(DESCRIPTOR, "descriptor"),                  \
        WORDS(WORD(RESULT, "result"), WORD(TICKS, "duration")), "connect returned")                \
  EVENT(91, LISTEN, "listen", DESCRIPTOR, STACK, ARG(DESCRIPTOR, "descriptor"),                    \
        WORDS(WORD(COUNT, "backlog")), "listen succeeded")                                         \
  EVENT(92, SHUTDOWN, "shutdown", DESCRIPTOR, BARE, ARG(DESCRIPTOR, "descriptor"),                 \
        WORDS(WORD(COUNT, "how")), "about to be shut down")                                        \
  EVENT(93, POLL, "poll", DESCRIPTOR, STACK, ARG(RESULT, "ready"),                                 \
        WORDS(WORD(COUNT, "asked"), WORD(TICKS, "wait"), WORD(RESULT, "timeout_ms")),              \
        "poll or select returned; a ready-descriptor for each follows")                            \
  EVENT(94, READY_DESCRIPTOR, "ready-descriptor", DESCRIPTOR, BARE, ARG(COUNT, "events"),          \
        WORDS(WORD(COUNT, "descriptor")), "one of those that the poll before found ready")         \
  EVENT(95, SLEEP, "sleep", DESCRIPTOR, STACK, ARG(RESULT, "result"),                              \
        WORDS(WORD(TICKS, "duration")), "a sleep returned")                                        \
  EVENT(96, SYNC, "sync", DESCRIPTOR, STACK, ARG(DESCRIPTOR, "descriptor"),                        \
        WORDS(WORD(RESULT, "result"), WORD(TICKS, "duration")), "fsync or fdatasync returned")     \
  EVENT(97, RESOLVE, "resolve", DESCRIPTOR, STACK, ARG(RESULT, "result"),                          \
        WORDS(WORD(TICKS, "duration")), "getaddrinfo returned")                                    \
  EVENT(98, DESCRIPTOR_SAMPLED, "descriptor-sampled", DESCRIPTOR, BARE,                            \
        ARG(DESCRIPTOR, "descriptor"), WORDS(WORD(COUNT, "how")),                                  \
        "connections are sampled: whether this one is recorded, TRACE_SAMPLED_*")                  \
  EVENT(99, TRANSFER_SLOW, "transfer-slow", DESCRIPTOR, STACK, ARG(DESCRIPTOR, "descriptor"),      \
        WORDS(WORD(COUNT, "nonblocking")),                                                         \
        "of the read or write that follows: where it was, as it took INSPECT_WAIT_MS or longer; "  \
        "and whether the descriptor is one that does not block (1)")                               \
  EVENT(100, FORK, "fork", PROCESS, STACK, ARG(RESULT, "child"), NO_WORDS,                         \
        "fork returned in the parent")                                                             \
  EVENT(101, EXEC, "exec", PROCESS, STACK, ARG(COUNT, "words"), WORDS(WORD(TEXT, "path")),         \
        "this image is about to be replaced")                                                      \
  EVENT(102, EXEC_FAILED, "exec-failed", PROCESS, BARE, ARG(RESULT, "result"), NO_WORDS,           \
        "it was not")                                                                              \
  EVENT(103, EXIT, "exit", PROCESS, BARE, ARG(RESULT, "status"), WORDS(WORD(COUNT, "how")),        \
        "the process ends itself: TRACE_EXIT_*")                                                   \
  EVENT(104, SPAWN, "spawn", PROCESS, STACK, ARG(RESULT, "child"), NO_WORDS,                       \
        "posix_spawn, vfork or system began a child")                                              \
  EVENT(105, TURNS_PASSED, "turns-passed", DESCRIPTOR, BARE, ARG(DESCRIPTOR, "epoll"),             \
        WORDS(WORD(PAIR, "waits_and_events"), WORD(TICKS, "busy"), WORD(TICKS, "idle")),           \
        "so many waits of the thread returned, and the turns that they began have ended, without " \
        "being recorded one by one; busy: all turns, idle: all waits")                             \
  EVENT(106, WAITS_PASSED, "waits-passed", DESCRIPTOR, BARE, ARG(DESCRIPTOR, "epoll"),             \
        WORDS(WORD(PAIR, "empty_and_spins"), WORD(COUNT, "saturated")),                            \
        "of waits without an epoll-wait: how many returned nothing, of these without waiting, "    \
        "and how many as many as asked for")                                                       \
  EVENT(107, TURN_DRAWN, "turn-drawn", DESCRIPTOR, BARE, ARG(NONE, ""), NO_WORDS,                  \
        "the epoll-wait that follows was drawn with the rate of sampling: it and its turn stand "  \
        "for 1 / rate of them, others for none")                                                   \
  EVENT(                                                                                           \
      108, TURN_LATE, "turn-late", DESCRIPTOR, STACK, ARG(RESULT, "ready"),                        \
      WORDS(WORD(PAIR, "epoll_and_descriptor"), WORD(TICKS, "ago"), WORD(TICKS, "wait")),          \
      "the turn that began so long ago was not recorded then: its descriptor (all bits set: not "  \
      "known), the wait before it; of the stack only the innermost frame is known")                \
  EVENT(109, TURN_STEP, "turn-step", DESCRIPTOR, BARE, ARG(DESCRIPTOR, "descriptor"), NO_WORDS,    \
        "the turn came to this descriptor, which is not recorded itself")                          \
  EVENT(110, TURN_END, "turn-end", DESCRIPTOR, BARE, ARG(DESCRIPTOR, "epoll"), NO_WORDS,           \
        "a turn that was recorded ends here: the next wait may not be recorded")                   \
  EVENT(                                                                                           \
      111, TURN_OUT, "turn-out", DESCRIPTOR, BARE, ARG(NONE, ""), NO_WORDS,                        \
      "the turn came to descriptors that are not recorded; which, is told if it becomes a stall "  \
      "or blocks there")                                                                           \
  EVENT(112, TURN_STEP_LATE, "turn-step-late", DESCRIPTOR, BARE, ARG(DESCRIPTOR, "descriptor"),    \
        WORDS(WORD(TICKS, "ago"), WORD(TICKS, "stayed")),                                          \
        "of the descriptors of a turn-out one to which the turn came so long ago, and for how "    \
        "long; 0: until the next that is told, or it is still there")                              \
  EVENT(113, LISTENER_PASSED, "listener-passed", DESCRIPTOR, BARE, ARG(DESCRIPTOR, "listener"),    \
        WORDS(WORD(PAIR, "accepts_and_polls"), WORD(TICKS, "running"), WORD(TICKS, "scheduled")),  \
        "so many connections out of the sample were accepted here, in so many turns of which its " \
        "part is not recorded; how long it took of them, and had to wait in them before")          \
  EVENT(114, CONNECTION_OUT, "connection-out", DESCRIPTOR, BARE, ARG(NONE, ""), NO_WORDS,          \
        "a connection out of the sample; is never recorded, but counted: a lost of this kind, "    \
        "which is no loss")

typedef enum {
#define EVENT(number, NAME, name, family, stack, arg, words, text) TRACE_##NAME = (number),
  TRACE_EVENT_TABLE(EVENT)
#undef EVENT
} trace_kind_t;

enum { TRACE_KIND_LIMIT = 128, TRACE_WORDS_MAX = 3 };

typedef struct {
  trace_field_type_t type;
  const char *name;
} trace_field_t;

// One row of the table. `name` is NULL for numbers that no kind has.
typedef struct {
  const char *name;
  const char *meaning;
  trace_family_t family;
  bool has_stack;
  bool has_payload;    // ARG is the number of payload words, which stand in place of `words`
  uint8_t word_count;  // fixed words after the header (0 where has_payload)
  trace_field_t arg;
  trace_field_t words[TRACE_WORDS_MAX];
} trace_event_kind_t;

// The table by number, TRACE_KIND_LIMIT rows. Constant; may be used anywhere.
extern const trace_event_kind_t trace_event_kinds[TRACE_KIND_LIMIT];

// The kind with that name, or 0. Linear; not for hot paths.
int trace_event_kind_by_name(const char *name);

// Name of a field type ("ADDRESS") and what it means, for dump and documentation.
const char *trace_field_type_name(trace_field_type_t type);
const char *trace_field_type_meaning(trace_field_type_t type);

// ---- bits of a LOCK field ------------------------------------------------------------------
// bits 0-3: what it is. bits 4-7: how it was asked for. bits 8-15: how it is made. See pthreadP.h
// of glibc for what the kinds of a mutex are; the recorder reads them from the object itself.
enum {
  TRACE_LOCK_MUTEX = 1,
  TRACE_LOCK_RWLOCK = 2,
  TRACE_LOCK_SPIN = 3,
  TRACE_LOCK_SEMAPHORE = 4,
  TRACE_LOCK_CONDITION = 5,
  TRACE_LOCK_BARRIER = 6,
  TRACE_LOCK_ONCE = 7,
  TRACE_LOCK_FUTEX = 8,
  TRACE_LOCK_FILE = 9,
  TRACE_LOCK_WHAT = 0xf,

  TRACE_LOCK_SHARED = 1 << 4,        // a reader; else exclusive
  TRACE_LOCK_TRY = 1 << 5,           // asked without waiting
  TRACE_LOCK_TIMED = 1 << 6,         // asked with a limit
  TRACE_LOCK_BY_CONDITION = 1 << 7,  // released or acquired inside a condition wait

  TRACE_LOCK_RECURSIVE = 1 << 8,
  TRACE_LOCK_ERRORCHECK = 1 << 9,
  TRACE_LOCK_ADAPTIVE = 1 << 10,
  TRACE_LOCK_ROBUST = 1 << 11,
  TRACE_LOCK_INHERIT = 1 << 12,  // priority inheritance
  TRACE_LOCK_PROTECT = 1 << 13,  // priority ceiling
  TRACE_LOCK_PROCESS_SHARED = 1 << 14,
  TRACE_LOCK_WRITER_PREFERRED = 1 << 15,  // rwlock: non-recursive writer preference
  TRACE_LOCK_OWNER_DIED = 1 << 16,        // acquired with EOWNERDEAD
  TRACE_LOCK_DRAWN = 1 << 17,             // of those that nobody waited for, drawn with the rate of
                                          // sampling: stands for 1 / rate of them
  TRACE_LOCK_FOR_ORDER = 1 << 18,  // not drawn, and recorded late, because of what came while it
                                   // was held: stands for none, and its time is not its own
};

// What a thread is in the middle of: PENDING.what and trace_ring.pending.
enum {
  TRACE_PENDING_NONE = 0,
  TRACE_PENDING_LOCK = 1,       // object: lock, second: LOCK bits, from bit 32 on the owner's tid
                                // if the lock says it
  TRACE_PENDING_CONDITION = 2,  // object: condition, second: mutex
  TRACE_PENDING_JOIN = 3,       // object: handle of the thread
  TRACE_PENDING_EPOLL = 4,      // object: epoll descriptor
  TRACE_PENDING_READ = 5,       // object: descriptor
  TRACE_PENDING_WRITE = 6,      // object: descriptor
  TRACE_PENDING_ACCEPT = 7,     // object: descriptor
  TRACE_PENDING_BARRIER = 8,    // object: barrier, second: LOCK bits
  TRACE_PENDING_SLEEP = 9,
  TRACE_PENDING_FUTEX = 10,    // object: futex word
  TRACE_PENDING_CONNECT = 11,  // object: descriptor
  TRACE_PENDING_POLL = 12,     // object: number of descriptors asked for
  TRACE_PENDING_SYNC = 13,     // object: descriptor
  TRACE_PENDING_RESOLVE = 14,
};
enum { TRACE_PENDING_OWNER_SHIFT = 32 };
#define TRACE_PENDING_TIMED (UINT64_C(1) << 63)  // in `second` of CONDITION and JOIN: has a limit

// DESCRIPTOR_OPEN.what
enum {
  TRACE_DESCRIPTOR_OTHER = 0,
  TRACE_DESCRIPTOR_SOCKET = 1,
  TRACE_DESCRIPTOR_PAIR = 2,  // of sockets
  TRACE_DESCRIPTOR_PIPE = 3,
  TRACE_DESCRIPTOR_EVENT = 4,   // eventfd
  TRACE_DESCRIPTOR_TIMER = 5,   // timerfd
  TRACE_DESCRIPTOR_SIGNAL = 6,  // signalfd
  TRACE_DESCRIPTOR_COPY = 7,    // dup
  TRACE_DESCRIPTOR_FILE = 8,
  TRACE_DESCRIPTOR_NOTIFY = 9,  // inotify
};
// DESCRIPTOR_SAMPLED.how
enum {
  TRACE_SAMPLED_OUT = 0,      // it is not recorded
  TRACE_SAMPLED_DRAWN = 1,    // it is, and stands for 1 / rate of them
  TRACE_SAMPLED_CERTAIN = 2,  // it is in any case, and stands for itself
  // It is not, and was counted as it began (CONNECTION_OUT); said only as it gets a name, because
  // its turn became a stall, or blocked: one that was accepted, one that the program opened.
  TRACE_SAMPLED_ACCEPTED = 3,
  TRACE_SAMPLED_OPENED = 4,
};
enum {
  TRACE_EXIT_NORMAL = 0,
  TRACE_EXIT_IMMEDIATE = 1,
  TRACE_EXIT_QUICK = 2,
  TRACE_EXIT_ABORT = 3
};
enum {
  TRACE_END_EXIT = 0,   // the process ended itself; status is its exit status
  TRACE_END_DIED = 1,   // it is gone without a word: killed, crashed, or it made the system call
                        // itself; status is TRACE_END_SIGNAL and the signal that ended it
  TRACE_END_EXEC = 2,   // another image took its place
  TRACE_END_LIMIT = 3,  // recording stopped at a limit; the process ran on
};
enum { TRACE_END_SIGNAL = 128 };  // as shells count
enum {
  TRACE_LOST_RING_FULL = 0,
  TRACE_LOST_LIMIT = 1,
  TRACE_LOST_DISK = 2,
  TRACE_LOST_NO_RING = 3,
  TRACE_LOST_NESTED = 4,
  TRACE_LOST_OUT = 5,  // of CONNECTION_OUT: not lost, but out of the sample
};
enum { TRACE_STACK_TRUNCATED = 1 };  // flags word of a FRAMES payload

#endif
