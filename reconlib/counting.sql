-- From usage records and purchases to counts: which units count for which client and service, and where every record ended.
--
-- In:  usage_records, purchases, vendor_products, account_map, product_map, sources (source, is_complete, evidence),
--      count_specs (spec_id, service_id, measure, source, where_bits, stale_rank, dedupe, key_scope, take, billing_date, rule, is_ruled),
--      spec_products (spec_id, vendor_product_id), ignores (source, vendor_product_id, where_bits, rule), pairs (service_id, other_id, reason),
--      run (as_of, period_start), and views built from the rules, each made as soon as what it reads is there:
--      usage_groups and slim_records (only the fields the rules name) over usage_records, twin_traits over twin_records, pair_traits over
--      pair_records. They add what rules can tell apart: passes (one bit a condition), stale_level (limits exceeded), is_later, has_key.
-- Out: counts, record_buckets, unmatched (rules that caught no record of any complete source), keyless, gaps, totals
-- Records the rules cannot tell apart are one class: everything after step 1 works on classes, however many records there are.
-- Currency XXX (ISO 4217: no currency) stands for several. Only +, - and SUM touch quantities.

-- 1. Classes: usage read once and summed; a purchase is a class with what was bought at the same terms.
CREATE VIEW usage_sums AS
SELECT source, vendor_account_id, vendor_product_id, passes, stale_level, is_later, has_key, usage_date,
       sum(records) AS records, CAST(sum(quantity_qty) AS DECIMAL(18, 6)) AS quantity_qty
FROM usage_groups
GROUP BY source, vendor_account_id, vendor_product_id, passes, stale_level, is_later, has_key, usage_date;

CREATE VIEW purchase_sums AS
SELECT source, vendor_account_id, vendor_product_id, coalesce(start_date > run.as_of, FALSE) AS is_later, is_active, is_free,
       coalesce(commitment_end_date >= run.as_of, FALSE) AS is_committed, commitment_end_date, unit_cost, currency,
       count(*) AS records, CAST(sum(quantity_qty) AS DECIMAL(18, 6)) AS quantity_qty
FROM purchases CROSS JOIN run
GROUP BY source, vendor_account_id, vendor_product_id, coalesce(start_date > run.as_of, FALSE), is_active, is_free,
         coalesce(commitment_end_date >= run.as_of, FALSE), commitment_end_date, unit_cost, currency;

CREATE TABLE classes AS
WITH both_kinds AS (
  SELECT 'usage' AS record_kind, 'used' AS measure, source, vendor_account_id, vendor_product_id, passes, stale_level, is_later, has_key, usage_date,
         TRUE AS is_active, FALSE AS is_free, FALSE AS is_committed, CAST(NULL AS DATE) AS commitment_end_date,
         CAST(NULL AS DECIMAL(18, 6)) AS unit_cost, CAST(NULL AS VARCHAR) AS currency, records, quantity_qty
  FROM usage_sums
  UNION ALL
  SELECT 'purchase', 'purchased', source, vendor_account_id, vendor_product_id, 0, 0, is_later, TRUE, CAST(NULL AS DATE),
         is_active, is_free, is_committed, commitment_end_date, unit_cost, currency, records, quantity_qty
  FROM purchase_sums
)
SELECT row_number() OVER (ORDER BY record_kind, source, vendor_account_id, vendor_product_id, passes, stale_level, is_later, has_key,
                                   usage_date NULLS LAST, is_active, is_free, commitment_end_date NULLS LAST, unit_cost NULLS LAST,
                                   currency NULLS LAST) AS class_id, *
FROM both_kinds;

-- 2. Each class with its account's client and its product's state.
CREATE VIEW product_states AS
SELECT v.source, v.vendor_product_id, v.is_free, bool_or(m.state = 'mapped') AS is_mapped, bool_or(m.state = 'excluded') AS is_excluded
FROM vendor_products AS v
JOIN product_map AS m ON m.source = v.source AND m.vendor_product_id = v.vendor_product_id
GROUP BY v.source, v.vendor_product_id, v.is_free;

CREATE TABLE placed AS
SELECT c.*, a.state AS account_state, CASE WHEN a.state = 'mapped' THEN a.client_id END AS client_id,
       c.is_free OR p.is_free AS free, p.is_free AS is_product_free, p.is_mapped AS is_product_mapped, p.is_excluded AS is_product_excluded
FROM classes AS c
JOIN account_map AS a ON a.source = c.source AND a.vendor_account_id = c.vendor_account_id
JOIN product_states AS p ON p.source = c.source AND p.vendor_product_id = c.vendor_product_id;

-- 3. Usage a rule names as never billed. A purchase passes no `where`: its bits are 0.
CREATE TABLE ignored AS
SELECT r.class_id, min(i.rule) AS rule
FROM placed AS r
JOIN ignores AS i ON i.source = r.source AND (i.vendor_product_id IS NULL OR i.vendor_product_id = r.vendor_product_id)
WHERE (r.passes & i.where_bits) = i.where_bits
GROUP BY r.class_id;

-- 4. The services a class counts for. One record may feed several services (T27), each in full; one service once.
CREATE TABLE caught AS
SELECT r.class_id, s.service_id, s.measure, min(s.spec_id) AS spec_id
FROM placed AS r
JOIN count_specs AS s ON s.source = r.source AND s.measure = r.measure
JOIN spec_products AS p ON p.spec_id = s.spec_id AND p.vendor_product_id = r.vendor_product_id
WHERE (r.passes & s.where_bits) = s.where_bits
GROUP BY r.class_id, s.service_id, s.measure;

-- 5. Fate of each class for each service: later than the as-of date (T3), stale (T59), of a day the rule does not take (T46), or counted.
CREATE VIEW last_days AS
SELECT c.source, max(c.usage_date) AS last_day, count(DISTINCT c.usage_date) AS days
FROM classes AS c CROSS JOIN run
WHERE c.usage_date >= run.period_start AND NOT c.is_later
GROUP BY c.source;

CREATE TABLE fates AS
SELECT r.class_id, r.client_id, c.service_id, s.spec_id, s.measure, r.source, s.take, s.dedupe, s.key_scope, s.rule, r.usage_date, l.days,
       r.unit_cost, r.currency, r.is_committed, r.commitment_end_date, r.has_key, r.records, r.quantity_qty,
       CASE WHEN r.is_later THEN 'after_as_of'
            WHEN r.usage_date < run.period_start THEN 'other_day'
            WHEN r.stale_level >= s.stale_rank THEN 'stale'
            WHEN s.take = 'last_day' AND r.usage_date <> l.last_day THEN 'other_day'
            WHEN s.take = 'billing_day' AND r.usage_date <> s.billing_date THEN 'other_day'
            ELSE 'counted' END AS fate
FROM caught AS c
JOIN count_specs AS s ON s.spec_id = c.spec_id
JOIN placed AS r ON r.class_id = c.class_id
LEFT JOIN ignored AS i ON i.class_id = c.class_id
LEFT JOIN last_days AS l ON l.source = r.source
CROSS JOIN run
WHERE r.client_id IS NOT NULL AND i.class_id IS NULL AND NOT r.free AND r.is_active;

-- 6. Twins: one key twice inside a client (T61), in one source or, where a service says so, in several (T62). Virtual machines share
--    serials, so never across clients. A hash finds the few keys to look at; the key itself decides, below.
CREATE TABLE keyed_products AS
SELECT DISTINCT s.source, p.vendor_product_id, s.key_scope
FROM count_specs AS s JOIN spec_products AS p ON p.spec_id = s.spec_id
WHERE s.dedupe;

CREATE VIEW twin_hashes AS
SELECT hash(k.key_scope, u.unit_key) AS key_hash
FROM usage_records AS u
JOIN keyed_products AS k ON k.source = u.source AND k.vendor_product_id = u.vendor_product_id
WHERE u.unit_key IS NOT NULL
GROUP BY hash(k.key_scope, u.unit_key) HAVING count(*) > 1;

CREATE TABLE twin_records AS
SELECT u.*, k.key_scope
FROM slim_records AS u
JOIN keyed_products AS k ON k.source = u.source AND k.vendor_product_id = u.vendor_product_id
JOIN twin_hashes AS t ON t.key_hash = hash(k.key_scope, u.unit_key)
WHERE u.unit_key IS NOT NULL;

-- The most recently seen of twins stays, then the newest, then the larger; twins equal in all of that are equal in what they count.
CREATE TABLE duplicates AS
WITH ranked AS (
  SELECT f.class_id, f.service_id, t.quantity_qty,
         row_number() OVER (PARTITION BY f.client_id, f.service_id, t.key_scope, t.unit_key, CASE WHEN f.take = 'any_time' THEN NULL ELSE t.usage_date END
                            ORDER BY t.last_seen_date DESC NULLS LAST, t.created_date DESC NULLS LAST, t.quantity_qty DESC, f.class_id) AS place
  FROM twin_traits AS t
  JOIN classes AS c
    ON c.record_kind = 'usage' AND c.source = t.source AND c.vendor_account_id = t.vendor_account_id AND c.vendor_product_id = t.vendor_product_id
   AND c.passes = t.passes AND c.stale_level = t.stale_level AND c.is_later = t.is_later AND c.has_key = t.has_key
   AND c.usage_date IS NOT DISTINCT FROM t.usage_date
  JOIN fates AS f ON f.class_id = c.class_id AND f.dedupe AND f.key_scope = t.key_scope AND f.fate = 'counted'
)
SELECT class_id, service_id, count(*) AS records, CAST(sum(quantity_qty) AS DECIMAL(18, 6)) AS quantity_qty
FROM ranked WHERE place > 1
GROUP BY class_id, service_id;

-- 7. Where a count is known: complete source, mapped account, mapped product (T1). A failed source makes every count it feeds unknown.
-- A product nobody's feed speaks of is not zero either: it may have been renamed, or the rule may be wrong (reported as unmatched).
-- What was bought for a part of a split tenant is not known: it stands on the tenant (T32).
CREATE VIEW spoken AS
SELECT DISTINCT c.service_id, c.measure, r.source
FROM caught AS c
JOIN placed AS r ON r.class_id = c.class_id
LEFT JOIN ignored AS i ON i.class_id = c.class_id
WHERE NOT r.is_product_free AND i.class_id IS NULL;

CREATE VIEW grid AS
SELECT DISTINCT a.client_id, s.service_id, s.measure, s.source
FROM spoken AS s
JOIN account_map AS a ON a.source = s.source AND a.state = 'mapped' AND (s.measure = 'used' OR NOT a.is_part)
JOIN sources ON sources.source = s.source AND sources.is_complete;

CREATE TABLE unmatched AS
SELECT s.rule, min(s.service_id) AS service_id, string_agg(DISTINCT s.source, ' ' ORDER BY s.source) AS sources
FROM count_specs AS s
LEFT JOIN (SELECT DISTINCT spec_id FROM caught) AS c ON c.spec_id = s.spec_id
JOIN sources ON sources.source = s.source
WHERE s.is_ruled
GROUP BY s.rule
HAVING count(c.spec_id) = 0 AND bool_and(sources.is_complete);

CREATE TABLE keyless AS
SELECT DISTINCT rule FROM fates WHERE take = 'any_time' AND NOT has_key AND fate = 'counted';

CREATE VIEW failing AS
SELECT DISTINCT s.service_id, s.measure
FROM count_specs AS s JOIN sources ON sources.source = s.source AND NOT sources.is_complete;

-- 8. Counts. A month's daily counts become one by the rule's take; for an average, quantity_qty is still the sum over `days` days.
CREATE VIEW daily AS
SELECT f.client_id, f.service_id, f.measure, f.source, min(f.take) AS take, f.usage_date, max(f.days) AS days,
       sum(CASE WHEN f.fate = 'counted' THEN f.records - coalesce(d.records, 0) ELSE 0 END) AS records,
       sum(CASE WHEN f.fate = 'counted' THEN f.quantity_qty - coalesce(d.quantity_qty, 0) ELSE 0 END) AS quantity_qty,
       sum(coalesce(d.quantity_qty, 0)) AS duplicate_qty,
       sum(CASE WHEN f.fate = 'stale' THEN f.quantity_qty ELSE 0 END) AS stale_qty,
       sum(CASE WHEN f.fate = 'after_as_of' THEN f.quantity_qty ELSE 0 END) AS later_qty,
       sum(CASE WHEN f.fate = 'counted' AND f.is_committed THEN f.quantity_qty ELSE 0 END) AS committed_qty,
       min(CASE WHEN f.fate = 'counted' AND f.is_committed THEN f.commitment_end_date END) AS commitment_end_date,
       min(CASE WHEN f.fate = 'counted' THEN f.unit_cost END) AS low_cost, max(CASE WHEN f.fate = 'counted' THEN f.unit_cost END) AS high_cost,
       bool_or(f.fate = 'counted' AND f.unit_cost IS NULL) AS lacks_cost,
       min(CASE WHEN f.fate = 'counted' THEN f.currency END) AS low_currency, max(CASE WHEN f.fate = 'counted' THEN f.currency END) AS high_currency
FROM fates AS f
LEFT JOIN duplicates AS d ON d.class_id = f.class_id AND d.service_id = f.service_id
GROUP BY f.client_id, f.service_id, f.measure, f.source, f.usage_date;

CREATE VIEW tallies AS
SELECT client_id, service_id, measure, source, min(take) AS take, max(days) AS days, sum(records) AS records,
       CASE WHEN min(take) = 'peak' THEN max(quantity_qty) ELSE sum(quantity_qty) END AS quantity_qty,
       sum(duplicate_qty) AS duplicate_qty, sum(stale_qty) AS stale_qty, sum(later_qty) AS later_qty,
       sum(committed_qty) AS committed_qty, min(commitment_end_date) AS commitment_end_date,
       -- one cost, known for every unit, or none: an average would be a price nobody charges
       CASE WHEN min(low_cost) = max(high_cost) AND NOT bool_or(lacks_cost) THEN min(low_cost) END AS unit_cost,
       CASE WHEN min(low_currency) <> max(high_currency) THEN 'XXX' ELSE min(low_currency) END AS currency
FROM daily
GROUP BY client_id, service_id, measure, source;

CREATE TABLE counts AS
SELECT g.client_id, g.service_id, g.measure, g.source, n.service_id IS NULL AS is_known,
       CASE WHEN n.service_id IS NULL THEN CAST(coalesce(t.quantity_qty, 0) AS DECIMAL(18, 6)) END AS quantity_qty,
       coalesce(t.take, 'last_day') AS take, CAST(t.days AS BIGINT) AS days,
       CAST(coalesce(t.records, 0) AS BIGINT) AS records,
       CAST(coalesce(t.duplicate_qty, 0) AS DECIMAL(18, 6)) AS duplicate_qty,
       CAST(coalesce(t.stale_qty, 0) AS DECIMAL(18, 6)) AS stale_qty,
       CAST(coalesce(t.later_qty, 0) AS DECIMAL(18, 6)) AS later_qty,
       CASE WHEN n.service_id IS NULL THEN CAST(coalesce(t.committed_qty, 0) AS DECIMAL(18, 6)) END AS committed_qty,
       t.commitment_end_date, t.unit_cost, t.currency, CASE WHEN t.records > 0 THEN s.evidence END AS evidence
FROM grid AS g
JOIN sources AS s ON s.source = g.source
LEFT JOIN failing AS n ON n.service_id = g.service_id AND n.measure = g.measure
LEFT JOIN tallies AS t ON t.client_id = g.client_id AND t.service_id = g.service_id AND t.measure = g.measure AND t.source = g.source;

-- 9. Every record in exactly one bucket: counted for any service beats left out for another.
CREATE VIEW bucketed AS
WITH best AS (
  SELECT class_id, fate, service_id, rule,
         row_number() OVER (PARTITION BY class_id
                            ORDER BY CASE fate WHEN 'counted' THEN 0 WHEN 'stale' THEN 1 WHEN 'other_day' THEN 2 ELSE 3 END, service_id) AS place
  FROM fates
),
lost AS (
  -- a duplicate for every service that counts the class
  SELECT f.class_id, min(coalesce(d.records, 0)) AS records, min(coalesce(d.quantity_qty, 0)) AS quantity_qty
  FROM fates AS f LEFT JOIN duplicates AS d ON d.class_id = f.class_id AND d.service_id = f.service_id
  WHERE f.fate = 'counted'
  GROUP BY f.class_id
)
SELECT r.class_id, r.source, r.record_kind, r.vendor_account_id, r.vendor_product_id, r.client_id, f.service_id, coalesce(i.rule, f.rule) AS rule,
       CASE WHEN r.free THEN 'free'
            WHEN NOT r.is_active THEN 'inactive'
            WHEN i.class_id IS NOT NULL THEN 'ignored'
            WHEN r.account_state = 'excluded' OR r.is_product_excluded THEN 'excluded'
            WHEN r.is_later THEN 'after_as_of'
            WHEN r.client_id IS NULL THEN 'unmapped_account'
            WHEN NOT r.is_product_mapped THEN 'unmapped_service'
            WHEN f.fate IS NULL THEN 'unaccounted'
            ELSE f.fate END AS bucket,
       r.records, r.quantity_qty, coalesce(l.records, 0) AS duplicate_records, coalesce(l.quantity_qty, 0) AS duplicate_qty
FROM placed AS r
LEFT JOIN ignored AS i ON i.class_id = r.class_id
LEFT JOIN best AS f ON f.class_id = r.class_id AND f.place = 1
LEFT JOIN lost AS l ON l.class_id = r.class_id;

CREATE TABLE record_buckets AS
SELECT b.source, b.record_kind, b.vendor_account_id, b.vendor_product_id, b.bucket, b.client_id, b.service_id, b.rule,
       CAST(sum(b.records) AS BIGINT) AS records, CAST(sum(b.quantity_qty) AS DECIMAL(18, 6)) AS quantity_qty, min(s.evidence) AS evidence
FROM (
  SELECT source, record_kind, vendor_account_id, vendor_product_id, bucket, client_id, service_id, rule,
         records - duplicate_records AS records, quantity_qty - duplicate_qty AS quantity_qty
  FROM bucketed WHERE records > duplicate_records
  UNION ALL
  SELECT source, record_kind, vendor_account_id, vendor_product_id, 'duplicate', client_id, service_id, rule, duplicate_records, duplicate_qty
  FROM bucketed WHERE duplicate_records > 0
) AS b
JOIN sources AS s ON s.source = b.source
GROUP BY b.source, b.record_kind, b.vendor_account_id, b.vendor_product_id, b.bucket, b.client_id, b.service_id, b.rule;

CREATE TABLE totals AS
SELECT 'usage' AS record_kind, count(*) AS records, CAST(coalesce(sum(quantity_qty), 0) AS DECIMAL(38, 6)) AS quantity_qty FROM usage_records
UNION ALL
SELECT 'purchase', count(*), CAST(coalesce(sum(quantity_qty), 0) AS DECIMAL(38, 6)) FROM purchases;

-- 10. Devices that one service has and its pair lacks (T62), where both counts are known. A device that the pair's own product shows, and
--     another service counts, is not lacking: a server with an agent is no workstation without management.
CREATE TABLE pair_products AS
SELECT DISTINCT s.service_id, s.source, p.vendor_product_id
FROM count_specs AS s
JOIN spec_products AS p ON p.spec_id = s.spec_id
JOIN (SELECT service_id FROM pairs UNION SELECT other_id FROM pairs) AS o ON o.service_id = s.service_id
WHERE s.measure = 'used';

CREATE TABLE pair_records AS
SELECT u.*
FROM slim_records AS u
JOIN (SELECT DISTINCT source, vendor_product_id FROM pair_products) AS p ON p.source = u.source AND p.vendor_product_id = u.vendor_product_id
WHERE u.unit_key IS NOT NULL;

CREATE TABLE seen_keys AS
SELECT DISTINCT f.client_id, f.service_id, u.source, u.vendor_product_id, u.unit_key
FROM pair_traits AS u
JOIN classes AS c
  ON c.record_kind = 'usage' AND c.source = u.source AND c.vendor_account_id = u.vendor_account_id AND c.vendor_product_id = u.vendor_product_id
 AND c.passes = u.passes AND c.stale_level = u.stale_level AND c.is_later = u.is_later AND c.has_key = u.has_key
 AND c.usage_date IS NOT DISTINCT FROM u.usage_date
JOIN fates AS f ON f.class_id = c.class_id AND f.fate = 'counted';

CREATE VIEW device_keys AS
SELECT DISTINCT k.client_id, k.service_id, k.unit_key
FROM seen_keys AS k JOIN (SELECT service_id FROM pairs UNION SELECT other_id FROM pairs) AS p ON p.service_id = k.service_id;

CREATE VIEW shown_keys AS
SELECT DISTINCT k.client_id, p.service_id, k.unit_key
FROM seen_keys AS k JOIN pair_products AS p ON p.source = k.source AND p.vendor_product_id = k.vendor_product_id;

CREATE TABLE gaps AS
SELECT h.client_id, p.service_id, p.other_id, p.reason, count(*) AS units, min(h.unit_key) AS first_key
FROM (SELECT service_id, other_id, reason FROM pairs UNION ALL SELECT other_id, service_id, reason FROM pairs) AS p
JOIN device_keys AS h ON h.service_id = p.service_id
JOIN (SELECT client_id, service_id FROM counts WHERE measure = 'used' GROUP BY client_id, service_id HAVING bool_and(is_known)) AS k
  ON k.client_id = h.client_id AND k.service_id = p.other_id
LEFT JOIN shown_keys AS o ON o.client_id = h.client_id AND o.service_id = p.other_id AND o.unit_key = h.unit_key
WHERE o.unit_key IS NULL
GROUP BY h.client_id, p.service_id, p.other_id, p.reason;
