-- The table that nfacctd writes (nfacctd.conf), and what keeps it small.

CREATE TABLE acct (
  peer_ip_src inet NOT NULL,            -- the exporter: the address that its messages come from
  export_proto_sysid bigint NOT NULL,   -- the observation domain: the bridge
  ip_src inet NOT NULL,
  ip_dst inet NOT NULL,
  port_src integer NOT NULL,
  port_dst integer NOT NULL,
  ip_proto smallint NOT NULL,
  packets bigint NOT NULL,
  bytes bigint NOT NULL,
  stamp_inserted timestamptz NOT NULL,  -- the minute
  stamp_updated timestamptz
);
CREATE INDEX acct_time ON acct (stamp_inserted);

-- Removes rows that are older than so many days, and returns how many.
CREATE FUNCTION remove_old(days double precision) RETURNS bigint LANGUAGE sql AS $$
  WITH removed AS (
    DELETE FROM acct WHERE stamp_inserted < now() - days * interval '1 day' RETURNING 1
  )
  SELECT count(*) FROM removed
$$;
