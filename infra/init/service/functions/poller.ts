export { handler } from 'dts-functions/poller'
