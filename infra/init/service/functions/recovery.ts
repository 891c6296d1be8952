export { handler } from 'dts-functions/recovery'
