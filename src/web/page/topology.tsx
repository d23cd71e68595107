// The way from bridges to exporters to collectors, with the state of each.

import { type ListedExporter, listExporters } from '../../report/exporter-list.ts';
import type { StatusDocument } from '../../report/status-document.ts';
import { counted, whole } from '../../runtime/counted.ts';

import { Mark } from './health.tsx';

export function Topology({ status }: { readonly status: StatusDocument }) {
  const listed = listExporters(status);
  return (
    <section aria-labelledby="topology">
      <h2 id="topology">From bridge to collector</h2>
      {status.bridges.length === 0 && (
        <p class="empty">No bridge has an IPFIX row that this daemon exports.</p>
      )}
      {status.bridges
        .toSorted((a, b) => (a.bridge < b.bridge ? -1 : 1))
        .map((bridge) => (
          <div class="path" key={bridge.bridge}>
            <div class="node">
              <p>
                <Mark mood={bridge.session.hook === 'installed' ? 'good' : 'bad'} />{' '}
                <strong>{bridge.bridge}</strong>
              </p>
              <p class="quiet">
                hook {bridge.session.hook}, {bridge.session.protocol ?? 'no OpenFlow'}
                <br />
                {bridge.session.meterRate === undefined
                  ? 'no meter'
                  : `at most ${whole(bridge.session.meterRate)} packet-ins/s`}
              </p>
            </div>
            <div class="branches">
              {listed
                .filter((each) => each.bridge === bridge.bridge)
                .map((each) => (
                  <Branch key={each.label} listed={each} />
                ))}
            </div>
          </div>
        ))}
    </section>
  );
}

function Branch({ listed }: { readonly listed: ListedExporter }) {
  const { exporter, collectorSetId } = listed;
  const { cache, records, collectors } = exporter;
  const isCached = cache.flowsMax > 0 && cache.activeTimeoutMicros > 0;
  return (
    <div class="branch">
      <div class="node" data-exporter={listed.label}>
        <p>
          <strong>{collectorSetId === undefined ? 'whole bridge' : `collector set ${collectorSetId}`}</strong>
        </p>
        <p class="quiet">
          <span data-count="samples">{whole(exporter.samples)}</span> samples,{' '}
          <span data-count="records">
            {whole(records.activeTimeout + records.lackOfResources + records.forcedEnd)}
          </span>{' '}
          records
        </p>
        {isCached ? (
          <p class="quiet">
            <meter min={0} max={cache.flowsMax} value={cache.flows} aria-label="fill of the cache" />{' '}
            {whole(cache.flows)} of {whole(cache.flowsMax)} flows, {cache.activeTimeoutMicros / 1_000_000} s
          </p>
        ) : (
          <p class="quiet">no cache: each sample is a record</p>
        )}
      </div>
      <div class="leaves">
        {collectors.map((collector) => (
          <div class="node" key={collector.target} data-collector={collector.target}>
            <p>
              <Mark mood={collector.state === 'open' ? 'good' : 'bad'} /> <strong>{collector.target}</strong>{' '}
              <span data-state={collector.state}>{collector.state}</span>
            </p>
            <p class="quiet">
              {whole(collector.messagesSent)} messages, {whole(collector.recordsSent)} records
              {collector.optionsRecordsSent > 0 && `, ${whole(collector.optionsRecordsSent)} options records`}
              {collector.backlogCount > 0 && `, ${counted(collector.backlogCount, 'message')} waiting`}
              {collector.recordsDeliveryUnknown > 0 &&
                `, delivery of ${whole(collector.recordsDeliveryUnknown)} unknown`}
              {collector.recordsLost > 0 && <span class="loss">, {whole(collector.recordsLost)} lost</span>}
            </p>
            {collector.lastError !== undefined && <p class="quiet">{collector.lastError}</p>}
          </div>
        ))}
      </div>
    </div>
  );
}
