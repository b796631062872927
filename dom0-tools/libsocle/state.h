/* SPDX-License-Identifier: MIT */
/* What tools remember of a domain beyond their own life, in /run/socle ($SOCLE_RUN_DIR):
 *
 *   ID.json   its configuration with its uuid, from before it first runs until it is ended
 *   ID.lock   locked (flock(2)) by whoever builds or ends it
 *
 * A lock that nobody holds, without a configuration beside it: a tool was killed half-way, and the
 * domain has to be ended. */
#ifndef LIBSOCLE_STATE_H
#define LIBSOCLE_STATE_H

#include "config.h"
#include "error.h"

#include <xen/xen.h>

/** state_dir - the folder; it is made if it is not there. */
const char *state_dir(void);

/** state_lock - lock a domain's id
 * @wait  for whoever has it; else -EBUSY
 * Returns a number for state_unlock(), or a negative errno. */
int state_lock(domid_t id, bool wait, struct error *err);
/** state_unlock - the domain is all there, or all gone: the lock file goes as well. */
void state_unlock(domid_t id, int lock);
/** state_abandon - it is neither: give the lock up, and leave the file. */
void state_abandon(int lock);

/** state_lock_machine - one at a time: looking for a free name, id, or memory, and taking it. */
int state_lock_machine(struct error *err);
void state_unlock_machine(int lock);

/** state_next_id - an id after the last one that was given out; with the machine locked. */
domid_t state_next_id(void);

/** state_write - remember a configuration, as a whole or not at all. */
int state_write(domid_t id, const struct domain_config *c, struct error *err);

/** state_read - the configuration of the domain that has this uuid (its handle)
 * @c  the caller's to free with config_free()
 * Returns -ENOENT when there is none, or it is of another domain: one that is gone, and had that id.
 * Nothing is removed: who has the lock may be about to put the right one there. */
int state_read(domid_t id, const uint8_t uuid[16], struct domain_config *c, struct error *err);

/** state_forget - remove the configuration; with the lock. */
void state_forget(domid_t id);

/** state_abandoned - the next id, from @from on, of a domain that a killed tool has left half-way
 * Returns -ENOENT when there is none. */
int state_abandoned(unsigned int from);

#endif
