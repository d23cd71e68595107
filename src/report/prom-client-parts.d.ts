// The files of prom-client that the metrics use. Its entry point also loads histograms, summaries, the push gateway, process
// metrics and OpenTelemetry: 163 kB of the bundle instead of 15 kB.

declare module 'prom-client/lib/counter.js' {
  import { Counter } from 'prom-client';
  export default Counter;
}

declare module 'prom-client/lib/gauge.js' {
  import { Gauge } from 'prom-client';
  export default Gauge;
}

declare module 'prom-client/lib/registry.js' {
  import { Registry } from 'prom-client';
  export default Registry;
}
