-- The records behind the counts of some accounts, one row a record and service it counts for, with the bucket it ended in there.
-- Runs after counting.sql on the same tables. A client's accounts are chosen all together: twins are ranked inside a client.
--
-- In:  everything counting.sql makes, chosen (source, vendor_account_id), and the built view chosen_traits over chosen_records
-- Out: listed
CREATE TABLE chosen_records AS
SELECT u.* FROM usage_records AS u JOIN chosen AS h ON h.source = u.source AND h.vendor_account_id = u.vendor_account_id;

CREATE TABLE chosen_usage AS
SELECT k.kind_id, u.source, u.vendor_account_id, u.usage_record_id, u.quantity_qty, u.unit_name, u.unit_key, u.unit_class, u.unit_state,
       u.created_date, u.last_seen_date, u.usage_date, u.evidence
FROM chosen_traits AS u
LEFT JOIN moved_accounts AS o
  ON o.source = u.source AND o.vendor_account_id = u.vendor_account_id AND o.vendor_product_id = u.vendor_product_id
JOIN kinds AS k
  ON k.record_kind = 'usage' AND k.source = u.source AND k.vendor_product_id = u.vendor_product_id
 AND k.only_client = coalesce(o.client_id, '') AND k.passes = u.passes AND k.stale_level = u.stale_level AND k.is_later = u.is_later AND k.has_key = u.has_key AND k.usage_date IS NOT DISTINCT FROM u.usage_date;

CREATE TABLE ranked_usage AS
SELECT u.usage_record_id, f.kind_id, f.service_id, u.vendor_account_id,
       row_number() OVER (PARTITION BY a.client_id, f.service_id, f.key_scope, u.unit_key, CASE WHEN f.take = 'any_time' THEN NULL ELSE u.usage_date END
                          ORDER BY u.last_seen_date DESC NULLS LAST, u.created_date DESC NULLS LAST, u.quantity_qty DESC,
                                   u.source, u.vendor_account_id, u.kind_id, u.usage_record_id) AS place
FROM chosen_usage AS u
JOIN fates AS f ON f.kind_id = u.kind_id AND f.dedupe AND f.fate = 'counted'
JOIN account_map AS a ON a.source = u.source AND a.vendor_account_id = u.vendor_account_id AND a.state = 'mapped'
WHERE u.unit_key IS NOT NULL;

CREATE TABLE chosen_bought AS
SELECT p.*, coalesce(o.client_id, '') AS only_client
FROM dated_purchases AS p
JOIN chosen AS h ON h.source = p.source AND h.vendor_account_id = p.vendor_account_id
LEFT JOIN moved_accounts AS o
  ON o.source = p.source AND o.vendor_account_id = p.vendor_account_id AND o.vendor_product_id = p.vendor_product_id;

CREATE TABLE chosen_purchases AS
SELECT k.kind_id, p.source, p.vendor_account_id, p.purchase_id, p.quantity_qty, p.status, p.start_date, p.commitment_end_date, p.term, p.evidence
FROM chosen_bought AS p
JOIN kinds AS k
  ON k.record_kind = 'purchase' AND k.source = p.source AND k.vendor_product_id = p.vendor_product_id AND k.only_client = p.only_client
 AND k.is_later = p.is_later AND k.is_active = p.is_active AND k.is_free = p.is_free
 AND k.commitment_end_date IS NOT DISTINCT FROM p.commitment_end_date AND k.unit_cost IS NOT DISTINCT FROM p.unit_cost
 AND k.currency IS NOT DISTINCT FROM p.currency;

CREATE TABLE listed AS
WITH records AS (
  SELECT kind_id, source, vendor_account_id, usage_record_id AS record_id, quantity_qty, unit_name, unit_key, unit_class, unit_state,
         created_date AS since_date, last_seen_date, usage_date, CAST(NULL AS DATE) AS commitment_end_date, CAST(NULL AS VARCHAR) AS term, evidence
  FROM chosen_usage
  UNION ALL
  SELECT kind_id, source, vendor_account_id, purchase_id, quantity_qty, CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR),
         status, start_date, CAST(NULL AS DATE), CAST(NULL AS DATE), commitment_end_date, term, evidence
  FROM chosen_purchases
)
SELECT e.source, e.record_kind, r.record_id, f.service_id, CASE WHEN a.state = 'mapped' THEN a.client_id END AS client_id, r.vendor_account_id,
       e.vendor_product_id,
       CASE WHEN f.kind_id IS NULL THEN e.bucket
            WHEN e.bucket = 'excluded' THEN 'excluded'
            WHEN k.place > 1 THEN 'duplicate'
            ELSE f.fate END AS bucket,
       r.quantity_qty, r.unit_name, r.unit_key, r.unit_class, r.unit_state, r.since_date, r.last_seen_date, r.usage_date,
       r.commitment_end_date, r.term, coalesce(f.rule, e.rule) AS rule, r.evidence
FROM records AS r
JOIN account_map AS a ON a.source = r.source AND a.vendor_account_id = r.vendor_account_id
JOIN endings AS e ON e.kind_id = r.kind_id AND e.account_state = a.state
LEFT JOIN fates AS f ON f.kind_id = r.kind_id AND a.state = 'mapped'
LEFT JOIN ranked_usage AS k
  ON e.record_kind = 'usage' AND k.kind_id = r.kind_id AND k.vendor_account_id = r.vendor_account_id AND k.service_id = f.service_id
 AND k.usage_record_id = r.record_id;
