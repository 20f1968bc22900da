// SPDX-License-Identifier: Apache-2.0
// A plugin whose only function calls malloc from a frame of a size of its own. Its code is as long,
// and calls from the same place, whatever the size: only unwind information tells such plugins
// apart.
#define PLUGIN_FRAME(bytes)                                                                        \
  __asm__(".text\n.p2align 4\n.globl plugin_run\n.type plugin_run, @function\n"                    \
          "plugin_run:\n.cfi_startproc\n"                                                          \
          "sub $" #bytes ", %rsp\n.cfi_adjust_cfa_offset " #bytes "\n"                             \
          "call malloc@PLT\n"                                                                      \
          "add $" #bytes ", %rsp\n.cfi_adjust_cfa_offset -" #bytes "\n"                            \
          "ret\n.cfi_endproc\n.size plugin_run, . - plugin_run\n");
