-- From usage records and purchases to counts: which units count for which client and service, and where every record ended.
--
-- In:  usage_records, purchases, vendor_products, account_map, product_map, sources (source, is_complete),
--      count_specs (spec_id, service_id, measure, source, where_id, dedupe, stale_days, rule, is_ruled), spec_products (spec_id, vendor_product_id),
--      passes (source, record_id, where_id), ignores (ignore_id, source, vendor_product_id, where_id, rule), run (as_of)
-- Out: counts, record_buckets, unmatched (rules that caught no record of any complete source)
-- Currency XXX (ISO 4217: no currency) stands for several.
-- Only + and SUM touch quantities.

-- 1. One list of records: usage, and what was bought.
CREATE VIEW records AS
SELECT source, 'usage' AS record_kind, 'used' AS measure, usage_record_id AS record_id, vendor_account_id, vendor_product_id, quantity_qty,
       unit_key, last_seen_date, created_date AS since_date, TRUE AS is_active, FALSE AS is_free,
       CAST(NULL AS DECIMAL(18, 6)) AS unit_cost, CAST(NULL AS VARCHAR) AS currency, evidence
FROM usage_records
UNION ALL
SELECT source, 'purchase', 'purchased', purchase_id, vendor_account_id, vendor_product_id, quantity_qty,
       NULL, NULL, start_date, is_active, is_free, unit_cost, currency, evidence
FROM purchases;

-- 2. Each record with its account's client and its product's state.
CREATE TABLE placed AS
SELECT r.*, a.state AS account_state, CASE WHEN a.state = 'mapped' THEN a.client_id END AS client_id,
       r.is_free OR p.is_free AS free, p.is_free AS is_product_free, p.is_product_mapped, p.is_product_excluded,
       r.since_date > run.as_of AS is_later
FROM records AS r
CROSS JOIN run
JOIN account_map AS a ON a.source = r.source AND a.vendor_account_id = r.vendor_account_id
JOIN (SELECT v.source, v.vendor_product_id, v.is_free,
             bool_or(m.state = 'mapped') AS is_product_mapped, bool_or(m.state = 'excluded') AS is_product_excluded
      FROM vendor_products AS v
      JOIN product_map AS m ON m.source = v.source AND m.vendor_product_id = v.vendor_product_id
      GROUP BY v.source, v.vendor_product_id, v.is_free) AS p
  ON p.source = r.source AND p.vendor_product_id = r.vendor_product_id;

-- 3. Usage a rule names as never billed.
CREATE TABLE ignored AS
SELECT r.source, r.record_kind, r.record_id, min(i.rule) AS rule
FROM placed AS r
JOIN ignores AS i ON i.source = r.source AND (i.vendor_product_id IS NULL OR i.vendor_product_id = r.vendor_product_id)
LEFT JOIN passes AS w ON w.source = r.source AND w.record_id = r.record_id AND w.where_id = i.where_id
WHERE i.where_id = 0 OR (r.record_kind = 'usage' AND w.where_id IS NOT NULL)
GROUP BY r.source, r.record_kind, r.record_id;

-- 4. The services a record counts for. One record may feed several services (T27), each in full; one service once.
CREATE TABLE caught AS
SELECT r.source, r.record_kind, r.record_id, s.service_id, s.measure, min(s.spec_id) AS spec_id
FROM placed AS r
JOIN count_specs AS s ON s.source = r.source AND s.measure = r.measure
JOIN spec_products AS p ON p.spec_id = s.spec_id AND p.vendor_product_id = r.vendor_product_id
LEFT JOIN passes AS w ON w.source = r.source AND w.record_id = r.record_id AND w.where_id = s.where_id
WHERE s.where_id = 0 OR (r.record_kind = 'usage' AND w.where_id IS NOT NULL)
GROUP BY r.source, r.record_kind, r.record_id, s.service_id, s.measure;

-- 5. Fate of each record for each service: later than the as-of date (T3), stale (T59), duplicate (T61), or counted.
CREATE TABLE fates AS
WITH dated AS (
  SELECT r.*, c.service_id, s.spec_id, s.dedupe, s.rule,
         CASE WHEN r.is_later THEN 'after_as_of'
              WHEN date_diff('day', r.last_seen_date, run.as_of) > s.stale_days THEN 'stale'
              ELSE 'counted' END AS first_fate
  FROM caught AS c
  JOIN count_specs AS s ON s.spec_id = c.spec_id
  JOIN placed AS r ON r.source = c.source AND r.record_kind = c.record_kind AND r.record_id = c.record_id
  LEFT JOIN ignored AS i ON i.source = r.source AND i.record_kind = r.record_kind AND i.record_id = r.record_id
  CROSS JOIN run
  WHERE r.client_id IS NOT NULL AND i.record_id IS NULL AND NOT r.free AND r.is_active
),
ranked AS (
  -- the most recently seen of twins stays; virtual machines share serials, so never across clients
  SELECT *, row_number() OVER (PARTITION BY client_id, service_id, measure, source, unit_key, first_fate
                               ORDER BY last_seen_date DESC NULLS LAST, since_date DESC NULLS LAST, record_id) AS place
  FROM dated
)
SELECT *, CASE WHEN first_fate = 'counted' AND dedupe AND unit_key IS NOT NULL AND place > 1 THEN 'duplicate' ELSE first_fate END AS fate
FROM ranked;

-- 6. Where a count is known: complete source, mapped account, mapped product (T1). A failed source makes every count it feeds unknown.
-- A product nobody's feed speaks of is not zero either: it may have been renamed, or the rule may be wrong (reported as unmatched).
CREATE TABLE spoken AS
SELECT DISTINCT c.service_id, c.measure, c.source
FROM caught AS c
JOIN placed AS r ON r.source = c.source AND r.record_kind = c.record_kind AND r.record_id = c.record_id
LEFT JOIN ignored AS i ON i.source = r.source AND i.record_kind = r.record_kind AND i.record_id = r.record_id
WHERE NOT r.is_product_free AND i.record_id IS NULL;

CREATE TABLE grid AS
SELECT DISTINCT a.client_id, s.service_id, s.measure, s.source
FROM spoken AS s
JOIN account_map AS a ON a.source = s.source AND a.state = 'mapped'
JOIN sources ON sources.source = s.source AND sources.is_complete;

CREATE TABLE unmatched AS
SELECT s.rule, min(s.service_id) AS service_id, string_agg(DISTINCT s.source, ' ' ORDER BY s.source) AS sources
FROM count_specs AS s
LEFT JOIN (SELECT DISTINCT spec_id FROM caught) AS c ON c.spec_id = s.spec_id
JOIN sources ON sources.source = s.source
WHERE s.is_ruled
GROUP BY s.rule
HAVING count(c.spec_id) = 0 AND bool_and(sources.is_complete)
ORDER BY s.rule;

CREATE TABLE failing AS
SELECT DISTINCT s.service_id, s.measure
FROM count_specs AS s JOIN sources ON sources.source = s.source AND NOT sources.is_complete;

CREATE TABLE counts AS
SELECT g.client_id, g.service_id, g.measure, g.source,
       n.service_id IS NULL AS is_known,
       CASE WHEN n.service_id IS NULL THEN CAST(coalesce(f.quantity_qty, 0) AS DECIMAL(18, 6)) END AS quantity_qty,
       CAST(coalesce(f.duplicate_qty, 0) AS DECIMAL(18, 6)) AS duplicate_qty,
       CAST(coalesce(f.stale_qty, 0) AS DECIMAL(18, 6)) AS stale_qty,
       CAST(coalesce(f.later_qty, 0) AS DECIMAL(18, 6)) AS later_qty,
       f.unit_cost, f.currency, f.evidence
FROM grid AS g
LEFT JOIN failing AS n ON n.service_id = g.service_id AND n.measure = g.measure
LEFT JOIN (
  SELECT client_id, service_id, measure, source,
         sum(CASE WHEN fate = 'counted' THEN quantity_qty ELSE 0 END) AS quantity_qty,
         sum(CASE WHEN fate = 'duplicate' THEN quantity_qty ELSE 0 END) AS duplicate_qty,
         sum(CASE WHEN fate = 'stale' THEN quantity_qty ELSE 0 END) AS stale_qty,
         sum(CASE WHEN fate = 'after_as_of' THEN quantity_qty ELSE 0 END) AS later_qty,
         -- one cost, known for every unit, or none: an average would be a price nobody charges
         CASE WHEN min(unit_cost) FILTER (WHERE fate = 'counted') = max(unit_cost) FILTER (WHERE fate = 'counted')
               AND count(unit_cost) FILTER (WHERE fate = 'counted') = count(*) FILTER (WHERE fate = 'counted')
              THEN min(unit_cost) FILTER (WHERE fate = 'counted') END AS unit_cost,
         CASE WHEN min(currency) FILTER (WHERE fate = 'counted') <> max(currency) FILTER (WHERE fate = 'counted') THEN 'XXX'
              ELSE min(currency) FILTER (WHERE fate = 'counted') END AS currency,
         string_agg(evidence, ' ' ORDER BY evidence) FILTER (WHERE fate = 'counted') AS evidence
  FROM fates GROUP BY client_id, service_id, measure, source
) AS f ON f.client_id = g.client_id AND f.service_id = g.service_id AND f.measure = g.measure AND f.source = g.source
ORDER BY g.client_id, g.service_id, g.measure, g.source;

-- 7. Every record in exactly one bucket.
CREATE TABLE record_buckets AS
SELECT r.source, r.record_kind, r.record_id,
       CASE WHEN r.free THEN 'free'
            WHEN NOT r.is_active THEN 'inactive'
            WHEN i.record_id IS NOT NULL THEN 'ignored'
            WHEN r.account_state = 'excluded' OR r.is_product_excluded THEN 'excluded'
            WHEN r.is_later THEN 'after_as_of'
            WHEN r.client_id IS NULL THEN 'unmapped_account'
            WHEN NOT r.is_product_mapped THEN 'unmapped_service'
            WHEN f.fate IS NULL THEN 'unaccounted'
            ELSE f.fate END AS bucket,
       r.client_id, f.service_id, r.vendor_account_id, r.vendor_product_id, r.quantity_qty, coalesce(i.rule, f.rule) AS rule, r.evidence
FROM placed AS r
LEFT JOIN ignored AS i ON i.source = r.source AND i.record_kind = r.record_kind AND i.record_id = r.record_id
LEFT JOIN (
  -- counted for any service beats left out for another
  SELECT source, record_kind, record_id, fate, service_id, rule,
         row_number() OVER (PARTITION BY source, record_kind, record_id
                            ORDER BY CASE fate WHEN 'counted' THEN 0 WHEN 'duplicate' THEN 1 WHEN 'stale' THEN 2 ELSE 3 END, service_id) AS place
  FROM fates
) AS f ON f.source = r.source AND f.record_kind = r.record_kind AND f.record_id = r.record_id AND f.place = 1
ORDER BY r.source, r.record_kind, r.record_id;
