// SPDX-License-Identifier: Apache-2.0
// Spin locks. The object is one number and says nothing of itself but whether it is held; whether
// it was made for several processes is not known.
#include "preload/hooks/lock.h"

LOCK_ACQUIRER(int, pthread_spin_lock, (pthread_spinlock_t * spin), (spin), spin, TRACE_LOCK_SPIN,
              real_pthread_spin_trylock(spin) == 0, result)
LOCK_TRIER(int, pthread_spin_trylock, (pthread_spinlock_t * spin), (spin), spin, TRACE_LOCK_SPIN,
           result)
LOCK_RELEASER(int, pthread_spin_unlock, (pthread_spinlock_t * spin), (spin), spin, TRACE_LOCK_SPIN,
              false, result)
LOCK_INITIALISER(int, pthread_spin_init, (pthread_spinlock_t * spin, int shared), (spin, shared),
                 spin, TRACE_LOCK_SPIN | (shared ? TRACE_LOCK_PROCESS_SHARED : 0))
LOCK_DESTROYER(int, pthread_spin_destroy, (pthread_spinlock_t * spin), (spin), spin,
               TRACE_LOCK_SPIN)
