/**
 * Fixes the request queue of kafkajs 2.2.4 for every connection of the process. After each answer, kafkajs sets a timer that
 * looks for throttled requests. Without a throttle its delay is negative, and each look sets the next timer. So an idle
 * connection wakes the process every millisecond, and Node warns of the delay. Only waiting requests need a timer.
 */
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'

const schedule = RequestQueue.prototype.scheduleCheckPendingRequests

RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) schedule.call(this)
}
