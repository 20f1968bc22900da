// SPDX-License-Identifier: Apache-2.0
// Calls malloc 1000 times from machine code made at run time, which keeps a frame pointer and of
// which no module has unwind information: stacks end there, and are marked.
#include "program.h"

#include <sys/mman.h>

enum { CALLS = 1000 };

// push %rbp; mov %rsp, %rbp; mov $address, %rax; call *%rax; pop %rbp; ret
static const unsigned char code[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8, 0,    0,    0,
                                     0,    0,    0,    0,    0,    0xff, 0xd0, 0x5d, 0xc3};
enum { ADDRESS_AT = 6 };

typedef void *maker_t(size_t size);

int main(void) {
  unsigned char *made =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void *(*target)(size_t) = malloc;
  REQUIRE(made != MAP_FAILED);
  memcpy(made, code, sizeof code);
  memcpy(made + ADDRESS_AT, &target, sizeof target);
  REQUIRE(mprotect(made, 4096, PROT_READ | PROT_EXEC) == 0);
  maker_t *make = (maker_t *)(uintptr_t)made;
  for (int i = 0; i < CALLS; i++) free(make(64));
  printf("{\"calls\": %d}\n", CALLS);
  return 0;
}
