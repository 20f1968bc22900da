// SPDX-License-Identifier: Apache-2.0
// Names of descriptors, asked of the kernel.
#include "preload/hooks/description.h"

#include "preload/naming.h"
#include "preload/settings.h"
#include "preload/system.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

enum { TEXT_MAX = 256, HASH_BASE = 16 };

// ---- text ----------------------------------------------------------------------------------

typedef struct {
  char text[TEXT_MAX];
  size_t length;
} description_t;

static void put(description_t *to, const char *text, size_t length) {
  if (length > TEXT_MAX - to->length) length = TEXT_MAX - to->length;
  memcpy(to->text + to->length, text, length);
  to->length += length;
}

static void put_text(description_t *to, const char *text) { put(to, text, strlen(text)); }

// Writes the digits, at most 20, and returns how many.
static size_t number_text(char *to, unsigned long number, unsigned base) {
  char digits[20];
  size_t at = sizeof digits;
  do digits[--at] = "0123456789abcdef"[number % base];
  while ((number /= base) > 0);
  memcpy(to, digits + at, sizeof digits - at);
  return sizeof digits - at;
}

static void put_number(description_t *to, unsigned long number, unsigned base) {
  char digits[20];
  put(to, digits, number_text(digits, number, base));
}

// What may have to be hidden begins at `from`: its hash in its place.
static void redact(description_t *to, size_t from) {
  if (!settings.redact || from >= to->length) return;
  const uint64_t hash = naming_hash(to->text + from, to->length - from);
  to->length = from;
  put_text(to, "#");
  put_number(to, hash, HASH_BASE);
}

// ---- addresses -----------------------------------------------------------------------------

typedef union {
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
  struct sockaddr_un un;
} address_t;

static void put_in(description_t *to, const struct sockaddr_in *address) {
  unsigned char bytes[4];
  memcpy(bytes, &address->sin_addr, sizeof bytes);
  for (int i = 0; i < 4; i++) {
    if (i > 0) put_text(to, ".");
    put_number(to, bytes[i], 10);
  }
  put_text(to, ":");
  put_number(to, ntohs(address->sin_port), 10);
}

// Eight groups; a run of zeros is not shortened, but for the address that is all zeros.
static void put_in6(description_t *to, const struct sockaddr_in6 *address) {
  const unsigned char *bytes = address->sin6_addr.s6_addr;
  put_text(to, "[");
  if (IN6_IS_ADDR_UNSPECIFIED(&address->sin6_addr)) {
    put_text(to, "::");
  } else if (IN6_IS_ADDR_LOOPBACK(&address->sin6_addr)) {
    put_text(to, "::1");
  } else {
    for (int i = 0; i < 8; i++) {
      if (i > 0) put_text(to, ":");
      put_number(to, (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1], 16);
    }
  }
  put_text(to, "]:");
  put_number(to, ntohs(address->sin6_port), 10);
}

// A path, an abstract name with "@" for its first byte, or nothing where the socket has no name.
static void put_un(description_t *to, const struct sockaddr_un *address, size_t length) {
  const size_t before = offsetof(struct sockaddr_un, sun_path);
  if (length <= before) return;
  length -= before;
  if (address->sun_path[0] == 0) {
    put_text(to, "@");
    put(to, address->sun_path + 1, length - 1);
  } else {
    put(to, address->sun_path, strnlen(address->sun_path, length));
  }
}

static void put_address(description_t *to, const address_t *address, size_t length) {
  const size_t blank = to->length;
  put_text(to, " ");
  const size_t from = to->length;
  if (address->any.sa_family == AF_INET && length >= sizeof address->in)
    put_in(to, &address->in);
  else if (address->any.sa_family == AF_INET6 && length >= sizeof address->in6)
    put_in6(to, &address->in6);
  else if (address->any.sa_family == AF_UNIX && length <= sizeof address->un)
    put_un(to, &address->un, length);
  if (to->length == from) to->length = blank;
  redact(to, from);
}

// ---- sockets -------------------------------------------------------------------------------

static int socket_option(int descriptor, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  const long result = system_call(SYS_getsockopt, descriptor, SOL_SOCKET, option, &value, &length);
  return system_failed(result) ? -1 : value;
}

static const char *socket_kind(int family, int type) {
  if (family == AF_UNIX) return "unix";
  if (family != AF_INET && family != AF_INET6) return "socket";
  return type == SOCK_STREAM ? "tcp" : type == SOCK_DGRAM ? "udp" : "raw";
}

static bool describe_socket(description_t *to, int descriptor, const struct sockaddr *peer,
                            socklen_t peer_length) {
  address_t address;
  socklen_t length = sizeof address;
  if (system_failed(system_call(SYS_getsockname, descriptor, &address, &length))) return false;
  const bool listens = socket_option(descriptor, SO_ACCEPTCONN) == 1;
  put_text(to, socket_kind(address.any.sa_family, socket_option(descriptor, SO_TYPE)));
  if (listens) put_text(to, "-listener");
  put_address(to, &address, length);
  if (listens) return true;
  length = sizeof address;
  if (!system_failed(system_call(SYS_getpeername, descriptor, &address, &length))) {
    put_address(to, &address, length);
  } else if (peer && peer_length >= sizeof(sa_family_t)) {
    length = peer_length < sizeof address ? peer_length : (socklen_t)sizeof address;
    memcpy(&address, peer, length);
    put_address(to, &address, length);
  }
  return true;
}

// ---- all others ----------------------------------------------------------------------------

// What the kernel calls them: "anon_inode:[eventfd]", "anon_inode:inotify", "pipe:[1234]", a path.
static void describe_link(description_t *to, char *link, size_t length) {
  static const char anonymous[] = "anon_inode:";
  const size_t prefix = sizeof anonymous - 1;
  if (length > prefix && memcmp(link, anonymous, prefix) == 0) {
    const bool bracketed = link[prefix] == '[';
    put(to, link + prefix + bracketed, length - prefix - 2 * (size_t)bracketed);
  } else if (link[0] == '/') {
    put_text(to, "file ");
    const size_t from = to->length;
    put(to, link, length);
    redact(to, from);
  } else {
    const char *colon = memchr(link, ':', length);
    put(to, link, colon ? (size_t)(colon - link) : length);
  }
}

static void describe_other(description_t *to, int descriptor) {
  char link[200];
  char path[40] = "/proc/self/fd/";
  size_t at = strlen(path);
  at += number_text(path + at, (unsigned)descriptor, 10);
  path[at] = 0;
  const long length = system_call(SYS_readlinkat, AT_FDCWD, path, link, sizeof link);
  if (system_failed(length))
    put_text(to, "other");
  else
    describe_link(to, link, (size_t)length);
}

void description_record(lane_t *lane, int descriptor, const struct sockaddr *peer,
                        socklen_t peer_length) {
  if (system_forbids(SYS_getsockname) || system_forbids(SYS_readlinkat)) return;
  description_t description;
  description.length = 0;
  if (!describe_socket(&description, descriptor, peer, peer_length))
    describe_other(&description, descriptor);
  lane_record_text(lane, TRACE_DESCRIPTOR_NAME, 0, (uint64_t)descriptor, description.text,
                   description.length);
}
