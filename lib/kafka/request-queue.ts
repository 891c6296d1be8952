/**
 * Mends the request queue of kafkajs 2.2.4, for every connection of the process: after each answer it sets a timer that
 * looks for requests held back by a throttle, with a delay that is negative unless there is one, and each such look
 * sets the next. So an idle connection wakes the process every millisecond, and Node warns of the delay. A timer is
 * needed only while requests wait.
 */
import RequestQueue from 'kafkajs/src/network/requestQueue/index.js'

const schedule = RequestQueue.prototype.scheduleCheckPendingRequests

RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) schedule.call(this)
}
