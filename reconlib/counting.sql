-- From usage records and purchases to counts: which units count for which client and service, and where every record ended.
--
-- In:  usage_records, purchases, vendor_products, account_map, product_map, sources (source, is_complete, evidence),
--      count_specs (spec_id, service_id, measure, source, where_bits, stale_rank, dedupe, key_scope, take, billing_date, rule, is_ruled,
--      only_client: the client an exception is about, null otherwise), spec_products (spec_id, vendor_product_id),
--      moved (client_id, source, vendor_product_id: counts for another service there, and for no other), ignores (source, vendor_product_id, where_bits, rule),
--      run (as_of, period_start), and views built from the rules, each made as soon as what it reads is there:
--      usage_groups and slim_records (only the fields the rules name) over usage_records, twin_traits over twin_records. They add what
--      rules can tell apart: passes (one bit a condition), stale_level (limits exceeded), is_later, has_key.
-- Out: counts, record_buckets, unmatched (rules that caught no record of any complete source), keyless, totals
-- Records the rules cannot tell apart are one class: everything after step 1 works on classes, however many records there are.
-- Currency XXX (ISO 4217: no currency) stands for several. Only +, - and SUM touch quantities.

-- 1. Classes: usage read once and summed a vendor account and kind; a kind is all that rules and terms can tell apart beside the account.
--    What a client's exception moves is of a kind of its own there (T130).
CREATE TABLE moved_accounts AS
SELECT o.source, a.vendor_account_id, o.vendor_product_id, o.client_id
FROM moved AS o
JOIN account_map AS a ON a.source = o.source AND a.client_id = o.client_id AND a.state = 'mapped';

CREATE TABLE usage_classes AS
SELECT u.source, u.vendor_account_id, u.vendor_product_id, coalesce(o.client_id, '') AS only_client, u.passes, u.stale_level, u.is_later, u.has_key, u.usage_date,
       u.records, u.quantity_qty
FROM usage_groups AS u
LEFT JOIN moved_accounts AS o
  ON o.source = u.source AND o.vendor_account_id = u.vendor_account_id AND o.vendor_product_id = u.vendor_product_id;

-- What is later is worked out before the exceptions are joined: DuckDB 2.0 loses the columns of a CROSS JOIN that a LEFT JOIN of no rows follows.
CREATE TABLE dated_purchases AS
SELECT p.*, coalesce(p.start_date > run.as_of, FALSE) AS is_later, coalesce(p.commitment_end_date >= run.as_of, FALSE) AS is_committed
FROM purchases AS p CROSS JOIN run;

CREATE TABLE purchase_classes AS
SELECT p.source, p.vendor_account_id, p.vendor_product_id, coalesce(o.client_id, '') AS only_client, p.is_later, p.is_active, p.is_free,
       p.is_committed, p.commitment_end_date, p.unit_cost, p.currency,
       count(*) AS records, CAST(sum(p.quantity_qty) AS DECIMAL(18, 6)) AS quantity_qty
FROM dated_purchases AS p
LEFT JOIN moved_accounts AS o
  ON o.source = p.source AND o.vendor_account_id = p.vendor_account_id AND o.vendor_product_id = p.vendor_product_id
GROUP BY p.source, p.vendor_account_id, p.vendor_product_id, coalesce(o.client_id, ''), p.is_later, p.is_active, p.is_free, p.is_committed,
         p.commitment_end_date, p.unit_cost, p.currency;

CREATE TABLE kinds AS
WITH both_kinds AS (
  SELECT DISTINCT 'usage' AS record_kind, 'used' AS measure, source, vendor_product_id, only_client, passes, stale_level, is_later, has_key, usage_date,
         TRUE AS is_active, FALSE AS is_free, FALSE AS is_committed, CAST(NULL AS DATE) AS commitment_end_date,
         CAST(NULL AS DECIMAL(18, 6)) AS unit_cost, CAST(NULL AS VARCHAR) AS currency
  FROM usage_classes
  UNION ALL
  SELECT DISTINCT 'purchase', 'purchased', source, vendor_product_id, only_client, 0, 0, is_later, TRUE, CAST(NULL AS DATE),
         is_active, is_free, is_committed, commitment_end_date, unit_cost, currency
  FROM purchase_classes
)
SELECT row_number() OVER (ORDER BY b.record_kind, b.source, b.vendor_product_id, b.passes, b.stale_level, b.is_later, b.has_key,
                                   b.usage_date NULLS LAST, b.is_active, b.is_free, b.commitment_end_date NULLS LAST, b.unit_cost NULLS LAST,
                                   b.currency NULLS LAST, b.only_client) AS kind_id,
       b.*, b.is_free OR p.is_free AS free, p.is_free AS is_product_free, p.is_mapped OR b.only_client <> '' AS is_product_mapped,
       p.is_excluded AND b.only_client = '' AS is_product_excluded
FROM both_kinds AS b
JOIN (
  SELECT v.source, v.vendor_product_id, v.is_free, bool_or(m.state = 'mapped') AS is_mapped, bool_or(m.state = 'excluded') AS is_excluded
  FROM vendor_products AS v
  JOIN product_map AS m ON m.source = v.source AND m.vendor_product_id = v.vendor_product_id
  GROUP BY v.source, v.vendor_product_id, v.is_free
) AS p ON p.source = b.source AND p.vendor_product_id = b.vendor_product_id;

-- 2. Each class with its kind and its account's client.
CREATE TABLE placed AS
SELECT k.kind_id, c.source, c.vendor_account_id, a.state AS account_state, CASE WHEN a.state = 'mapped' THEN a.client_id END AS client_id,
       c.records, c.quantity_qty
FROM usage_classes AS c
JOIN kinds AS k
  ON k.record_kind = 'usage' AND k.source = c.source AND k.vendor_product_id = c.vendor_product_id
 AND k.only_client = c.only_client AND k.passes = c.passes
 AND k.stale_level = c.stale_level AND k.is_later = c.is_later AND k.has_key = c.has_key AND k.usage_date IS NOT DISTINCT FROM c.usage_date
JOIN account_map AS a ON a.source = c.source AND a.vendor_account_id = c.vendor_account_id
UNION ALL
SELECT k.kind_id, c.source, c.vendor_account_id, a.state, CASE WHEN a.state = 'mapped' THEN a.client_id END, c.records, c.quantity_qty
FROM purchase_classes AS c
JOIN kinds AS k
  ON k.record_kind = 'purchase' AND k.source = c.source AND k.vendor_product_id = c.vendor_product_id
 AND k.only_client = c.only_client AND k.is_later = c.is_later AND k.is_active = c.is_active AND k.is_free = c.is_free AND k.commitment_end_date IS NOT DISTINCT FROM c.commitment_end_date
 AND k.unit_cost IS NOT DISTINCT FROM c.unit_cost AND k.currency IS NOT DISTINCT FROM c.currency
JOIN account_map AS a ON a.source = c.source AND a.vendor_account_id = c.vendor_account_id;

-- 3. Usage a rule names as never billed. A purchase passes no `where`: its bits are 0.
CREATE TABLE ignored AS
SELECT k.kind_id, min(i.rule) AS rule
FROM kinds AS k
JOIN ignores AS i ON i.source = k.source AND (i.vendor_product_id IS NULL OR i.vendor_product_id = k.vendor_product_id)
WHERE (k.passes & i.where_bits) = i.where_bits
GROUP BY k.kind_id;

-- 4. The services a kind counts for. One record may feed several services (T27), each in full; one service once.
--    What a client's exceptions move counts for the service they name, and for no other.
CREATE TABLE meant AS
SELECT k.kind_id, s.service_id, s.measure, s.only_client IS NOT NULL AS is_exception, min(s.spec_id) AS spec_id
FROM kinds AS k
JOIN count_specs AS s ON s.source = k.source AND s.measure = k.measure AND (s.only_client IS NULL OR s.only_client = k.only_client)
JOIN spec_products AS p ON p.spec_id = s.spec_id AND p.vendor_product_id = k.vendor_product_id
WHERE (k.passes & s.where_bits) = s.where_bits
GROUP BY k.kind_id, s.service_id, s.measure, s.only_client IS NOT NULL;

-- 5. Fate of each kind for each service: later than the as-of date (T3), stale (T59), of a day the rule does not take (T46), or counted.
CREATE TABLE fates AS
SELECT k.kind_id, c.service_id, s.measure, k.source, s.take, s.dedupe, s.key_scope, s.rule, k.usage_date, l.days,
       k.unit_cost, k.currency, k.is_committed, k.commitment_end_date, k.has_key,
       CASE WHEN k.is_later THEN 'after_as_of'
            WHEN k.usage_date < run.period_start THEN 'other_day'
            WHEN k.stale_level >= s.stale_rank THEN 'stale'
            WHEN s.take = 'last_day' AND k.usage_date <> l.last_day THEN 'other_day'
            WHEN s.take = 'billing_day' AND k.usage_date <> s.billing_date THEN 'other_day'
            ELSE 'counted' END AS fate
FROM meant AS c
JOIN count_specs AS s ON s.spec_id = c.spec_id
JOIN kinds AS k ON k.kind_id = c.kind_id AND (k.only_client <> '') = c.is_exception
LEFT JOIN ignored AS i ON i.kind_id = c.kind_id
LEFT JOIN (
  SELECT k.source, max(k.usage_date) AS last_day, count(DISTINCT k.usage_date) AS days
  FROM kinds AS k CROSS JOIN run
  WHERE k.usage_date >= run.period_start AND NOT k.is_later
  GROUP BY k.source
) AS l ON l.source = k.source
CROSS JOIN run
WHERE i.kind_id IS NULL AND NOT k.free AND k.is_active;

-- 6. Twins: one key twice inside a client (T61), in one source or, where a service says so, in several (T62). Virtual machines share
--    serials, so never across clients. A hash finds the few keys to look at; the key itself decides, below.
CREATE TABLE keyed_products AS
SELECT DISTINCT s.source, p.vendor_product_id, s.key_scope
FROM count_specs AS s JOIN spec_products AS p ON p.spec_id = s.spec_id
WHERE s.dedupe;

CREATE VIEW key_hashes AS
SELECT hash(k.key_scope, u.unit_key) AS key_hash
FROM usage_records AS u
JOIN keyed_products AS k ON k.source = u.source AND k.vendor_product_id = u.vendor_product_id
WHERE u.unit_key IS NOT NULL;

CREATE TABLE twin_records AS
SELECT u.*, k.key_scope
FROM slim_records AS u
JOIN keyed_products AS k ON k.source = u.source AND k.vendor_product_id = u.vendor_product_id
JOIN twin_hashes AS t ON t.key_hash = hash(k.key_scope, u.unit_key)
WHERE u.unit_key IS NOT NULL;

-- The most recently seen of twins stays, then the newest, then the larger; twins equal in all of that are equal in what they count.
CREATE TABLE duplicates AS
WITH ranked AS (
  SELECT k.kind_id, t.vendor_account_id, a.client_id, f.service_id, t.quantity_qty,
         row_number() OVER (PARTITION BY a.client_id, f.service_id, t.key_scope, t.unit_key, CASE WHEN f.take = 'any_time' THEN NULL ELSE t.usage_date END
                            ORDER BY t.last_seen_date DESC NULLS LAST, t.created_date DESC NULLS LAST, t.quantity_qty DESC,
                                     t.source, t.vendor_account_id, k.kind_id) AS place
  FROM twin_traits AS t
  LEFT JOIN moved_accounts AS o
    ON o.source = t.source AND o.vendor_account_id = t.vendor_account_id AND o.vendor_product_id = t.vendor_product_id
  JOIN kinds AS k
    ON k.record_kind = 'usage' AND k.source = t.source AND k.vendor_product_id = t.vendor_product_id
   AND k.only_client = coalesce(o.client_id, '') AND k.passes = t.passes AND k.stale_level = t.stale_level AND k.is_later = t.is_later AND k.has_key = t.has_key AND k.usage_date IS NOT DISTINCT FROM t.usage_date
  JOIN fates AS f ON f.kind_id = k.kind_id AND f.dedupe AND f.key_scope = t.key_scope AND f.fate = 'counted'
  JOIN account_map AS a ON a.source = t.source AND a.vendor_account_id = t.vendor_account_id AND a.state = 'mapped'
)
SELECT kind_id, vendor_account_id, client_id, service_id, count(*) AS records, sum(quantity_qty) AS quantity_qty
FROM ranked WHERE place > 1
GROUP BY kind_id, vendor_account_id, client_id, service_id;

-- 7. Where a count is known: complete source, mapped account, mapped product (T1). A failed source makes every count it feeds unknown.
-- A product nobody's feed speaks of is not zero either: it may have been renamed, or the rule may be wrong (reported as unmatched).
-- What was bought for a part of a split tenant is not known: it stands on the tenant (T32).
CREATE VIEW spoken AS
SELECT DISTINCT c.service_id, c.measure, r.source
FROM meant AS c
JOIN kinds AS r ON r.kind_id = c.kind_id
LEFT JOIN ignored AS i ON i.kind_id = c.kind_id
WHERE NOT r.is_product_free AND i.kind_id IS NULL AND NOT c.is_exception;

CREATE VIEW spoken_of AS
SELECT DISTINCT s.only_client AS client_id, s.service_id, s.measure, s.source
FROM count_specs AS s
JOIN spec_products AS p ON p.spec_id = s.spec_id
JOIN kinds AS r ON r.source = s.source AND r.measure = s.measure AND r.vendor_product_id = p.vendor_product_id
WHERE s.only_client IS NOT NULL AND NOT r.is_product_free;

CREATE VIEW grid AS
SELECT DISTINCT a.client_id, s.service_id, s.measure, s.source
FROM (SELECT CAST(NULL AS VARCHAR) AS client_id, service_id, measure, source FROM spoken
      UNION ALL SELECT client_id, service_id, measure, source FROM spoken_of) AS s
JOIN account_map AS a ON a.source = s.source AND a.state = 'mapped' AND (s.measure = 'used' OR NOT a.is_part)
 AND (s.client_id IS NULL OR s.client_id = a.client_id)
JOIN sources ON sources.source = s.source AND sources.is_complete;

CREATE TABLE unmatched AS
SELECT s.rule, min(s.service_id) AS service_id, string_agg(DISTINCT s.source, ' ' ORDER BY s.source) AS sources
FROM count_specs AS s
LEFT JOIN (SELECT DISTINCT spec_id FROM meant) AS c ON c.spec_id = s.spec_id
JOIN sources ON sources.source = s.source
WHERE s.is_ruled
GROUP BY s.rule
HAVING count(c.spec_id) = 0 AND bool_and(sources.is_complete);

CREATE TABLE keyless AS
SELECT DISTINCT f.rule
FROM fates AS f JOIN placed AS r ON r.kind_id = f.kind_id AND r.client_id IS NOT NULL
WHERE f.take = 'any_time' AND NOT f.has_key AND f.fate = 'counted';

CREATE VIEW failing AS
SELECT DISTINCT s.service_id, s.measure, s.only_client
FROM count_specs AS s JOIN sources ON sources.source = s.source AND NOT sources.is_complete;

-- 8. Counts. A month's daily counts become one by the rule's take; for an average, quantity_qty is still the sum over `days` days.
CREATE TABLE daily AS
WITH lost AS (
  SELECT d.client_id, d.service_id, f.source, f.usage_date, sum(d.records) AS records, sum(d.quantity_qty) AS quantity_qty
  FROM duplicates AS d JOIN fates AS f ON f.kind_id = d.kind_id AND f.service_id = d.service_id
  GROUP BY d.client_id, d.service_id, f.source, f.usage_date
),
summed AS (
  SELECT r.client_id, f.service_id, f.measure, f.source, f.usage_date, min(f.take) AS take, max(f.days) AS days,
         sum(CASE WHEN f.fate = 'counted' THEN r.records ELSE 0 END) AS records,
         sum(CASE WHEN f.fate = 'counted' THEN r.quantity_qty ELSE 0 END) AS quantity_qty,
         sum(CASE WHEN f.fate = 'stale' THEN r.quantity_qty ELSE 0 END) AS stale_qty,
         sum(CASE WHEN f.fate = 'after_as_of' THEN r.quantity_qty ELSE 0 END) AS later_qty,
         sum(CASE WHEN f.fate = 'counted' AND f.is_committed THEN r.quantity_qty ELSE 0 END) AS committed_qty,
         min(CASE WHEN f.fate = 'counted' AND f.is_committed THEN f.commitment_end_date END) AS commitment_end_date,
         min(CASE WHEN f.fate = 'counted' THEN f.unit_cost END) AS low_cost, max(CASE WHEN f.fate = 'counted' THEN f.unit_cost END) AS high_cost,
         bool_or(f.fate = 'counted' AND f.unit_cost IS NULL) AS lacks_cost,
         min(CASE WHEN f.fate = 'counted' THEN f.currency END) AS low_currency, max(CASE WHEN f.fate = 'counted' THEN f.currency END) AS high_currency
  FROM placed AS r JOIN fates AS f ON f.kind_id = r.kind_id
  WHERE r.client_id IS NOT NULL
  GROUP BY r.client_id, f.service_id, f.measure, f.source, f.usage_date
)
SELECT s.* EXCLUDE (records, quantity_qty), s.records - coalesce(l.records, 0) AS records, s.quantity_qty - coalesce(l.quantity_qty, 0) AS quantity_qty,
       coalesce(l.quantity_qty, 0) AS duplicate_qty
FROM summed AS s
LEFT JOIN lost AS l
  ON s.measure = 'used' AND l.client_id = s.client_id AND l.service_id = s.service_id AND l.source = s.source
 AND l.usage_date IS NOT DISTINCT FROM s.usage_date;

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
SELECT g.client_id, g.service_id, g.measure, g.source, n.service_id IS NULL AND o.service_id IS NULL AS is_known,
       CASE WHEN n.service_id IS NULL AND o.service_id IS NULL THEN CAST(coalesce(t.quantity_qty, 0) AS DECIMAL(18, 6)) END AS quantity_qty,
       coalesce(t.take, 'last_day') AS take, CAST(t.days AS BIGINT) AS days,
       CAST(coalesce(t.records, 0) AS BIGINT) AS records,
       CAST(coalesce(t.duplicate_qty, 0) AS DECIMAL(18, 6)) AS duplicate_qty,
       CAST(coalesce(t.stale_qty, 0) AS DECIMAL(18, 6)) AS stale_qty,
       CAST(coalesce(t.later_qty, 0) AS DECIMAL(18, 6)) AS later_qty,
       CASE WHEN n.service_id IS NULL AND o.service_id IS NULL THEN CAST(coalesce(t.committed_qty, 0) AS DECIMAL(18, 6)) END AS committed_qty,
       t.commitment_end_date, t.unit_cost, t.currency, CASE WHEN t.records > 0 THEN s.evidence END AS evidence
FROM grid AS g
JOIN sources AS s ON s.source = g.source
LEFT JOIN failing AS n ON n.service_id = g.service_id AND n.measure = g.measure AND n.only_client IS NULL
LEFT JOIN failing AS o ON o.service_id = g.service_id AND o.measure = g.measure AND o.only_client = g.client_id
LEFT JOIN tallies AS t ON t.client_id = g.client_id AND t.service_id = g.service_id AND t.measure = g.measure AND t.source = g.source;

-- 9. Every record in exactly one bucket: counted for any service beats left out for another. A bucket depends on the kind and on what was
--    decided about the account, so it is found once for those; `ending_id` stands for all that a row of buckets says beside account and client.
CREATE TABLE endings AS
WITH best AS (
  SELECT kind_id, fate, service_id, rule,
         row_number() OVER (PARTITION BY kind_id
                            ORDER BY CASE fate WHEN 'counted' THEN 0 WHEN 'stale' THEN 1 WHEN 'other_day' THEN 2 ELSE 3 END, service_id) AS place
  FROM fates
),
named AS (
  SELECT k.kind_id, s.account_state, k.record_kind, k.source, k.vendor_product_id, f.service_id, coalesce(i.rule, f.rule) AS rule,
         CASE WHEN k.free THEN 'free'
              WHEN NOT k.is_active THEN 'inactive'
              WHEN i.kind_id IS NOT NULL THEN 'ignored'
              WHEN s.account_state = 'excluded' OR k.is_product_excluded THEN 'excluded'
              WHEN k.is_later THEN 'after_as_of'
              WHEN s.account_state <> 'mapped' THEN 'unmapped_account'
              WHEN NOT k.is_product_mapped THEN 'unmapped_service'
              WHEN f.fate IS NULL THEN 'unaccounted'
              ELSE f.fate END AS bucket
  FROM kinds AS k
  CROSS JOIN (SELECT DISTINCT state AS account_state FROM account_map) AS s
  LEFT JOIN ignored AS i ON i.kind_id = k.kind_id
  LEFT JOIN best AS f ON f.kind_id = k.kind_id AND f.place = 1 AND s.account_state = 'mapped'
)
SELECT *, dense_rank() OVER (ORDER BY record_kind, source, vendor_product_id, bucket, service_id NULLS LAST, rule NULLS LAST) AS ending_id
FROM named;

CREATE TABLE ended AS
SELECT e.ending_id, r.vendor_account_id, r.client_id, CAST(sum(r.records) AS BIGINT) AS records,
       CAST(sum(r.quantity_qty) AS DECIMAL(18, 6)) AS quantity_qty
FROM placed AS r
JOIN endings AS e ON e.kind_id = r.kind_id AND e.account_state = r.account_state
GROUP BY e.ending_id, r.vendor_account_id, r.client_id;

-- Lost to a duplicate: for every service that counts the kind, or it still stands for one.
CREATE TABLE ended_twice AS
SELECT e.ending_id, l.vendor_account_id, l.client_id, CAST(sum(l.records) AS BIGINT) AS records,
       CAST(sum(l.quantity_qty) AS DECIMAL(18, 6)) AS quantity_qty
FROM (
  SELECT d.kind_id, d.vendor_account_id, d.client_id, min(d.records) AS records, min(d.quantity_qty) AS quantity_qty
  FROM duplicates AS d
  JOIN (SELECT kind_id, count(*) AS services FROM fates WHERE fate = 'counted' GROUP BY kind_id) AS n ON n.kind_id = d.kind_id
  GROUP BY d.kind_id, d.vendor_account_id, d.client_id
  HAVING count(*) = min(n.services)
) AS l
JOIN endings AS e ON e.kind_id = l.kind_id AND e.account_state = 'mapped'
GROUP BY e.ending_id, l.vendor_account_id, l.client_id;

CREATE TABLE record_buckets AS
SELECT e.source, e.record_kind, b.vendor_account_id, e.vendor_product_id, CASE WHEN b.is_twice THEN 'duplicate' ELSE e.bucket END AS bucket,
       b.client_id, e.service_id, e.rule, b.records, b.quantity_qty, s.evidence
FROM (
  SELECT r.ending_id, r.vendor_account_id, r.client_id, FALSE AS is_twice, r.records - coalesce(t.records, 0) AS records,
         CAST(r.quantity_qty - coalesce(t.quantity_qty, 0) AS DECIMAL(18, 6)) AS quantity_qty
  FROM ended AS r
  LEFT JOIN ended_twice AS t ON t.ending_id = r.ending_id AND t.vendor_account_id = r.vendor_account_id
  UNION ALL
  SELECT ending_id, vendor_account_id, client_id, TRUE, records, quantity_qty FROM ended_twice
) AS b
JOIN (SELECT DISTINCT ending_id, record_kind, source, vendor_product_id, bucket, service_id, rule FROM endings) AS e ON e.ending_id = b.ending_id
JOIN sources AS s ON s.source = e.source
WHERE b.records > 0;

CREATE TABLE totals AS
SELECT 'usage' AS record_kind, count(*) AS records, CAST(coalesce(sum(quantity_qty), 0) AS DECIMAL(38, 6)) AS quantity_qty FROM usage_records
UNION ALL
SELECT 'purchase', count(*), CAST(coalesce(sum(quantity_qty), 0) AS DECIMAL(38, 6)) FROM purchases;
