-- From agreement lines and counts to one comparison per client and service, and one bucket per line.
--
-- In:  clients, services, agreements, agreement_lines, counts, earlier_counts (the month before: T110),
--      service_rules (service_id, basis, expect, period_offset, round_to, round_block, minimum, maximum, included_qty, is_counted,
--                     tolerance_units, tolerance_percent, tolerance_side, rule),
--      overrides (client_id, service_id, exclude_qty, count_qty, minimum, maximum, included_qty, ignore, not_resold, rule),
--      bundles (bundle_service_id, service_id, units_qty, is_anchor), peaks (client_id, service_id, peak_qty), own_clients (client_id),
--      trust (client_id, source, factor), reads (service_id, source), waiting (client_id, service_id, source; one of the two ids is null),
--      run (as_of, period_start, next_start, currency)
-- Out: cells (numbers and status; money follows in comparison.py), line_buckets
-- Only +, -, x, %, min, max and SUM touch quantities. GREATEST and LEAST skip nulls, so every one stands behind a test for null (T1).

-- 1. Scope of every line (T13–T18).
CREATE TABLE placed_lines AS
SELECT l.*, a.cycle_months, coalesce(a.currency, c.currency, run.currency) AS currency, coalesce(c.currency, run.currency) AS client_currency,
       CASE WHEN c.is_deleted THEN 'out_of_scope_client_deleted'
            WHEN NOT c.is_billable THEN 'out_of_scope_client_inactive'
            WHEN l.effective_date >= run.period_start AND l.cancelled_date < run.next_start THEN 'proration_helper'
            WHEN l.effective_date > run.period_start AND l.cancelled_date = run.next_start THEN 'proration_helper'
            WHEN lower(a.status) IN ('cancelled', 'expired', 'inactive') OR a.cancelled_date <= run.as_of THEN 'out_of_scope_agreement_ended'
            WHEN a.start_date > run.as_of THEN 'out_of_scope_agreement_not_started'
            WHEN a.end_date < run.as_of THEN 'out_of_scope_agreement_ended'
            WHEN a.cycle_months IS NULL THEN 'out_of_scope_not_recurring'
            WHEN l.effective_date > run.as_of THEN 'out_of_scope_not_started'
            WHEN l.cancelled_date <= run.as_of THEN 'out_of_scope_ended'
            WHEN l.unit_price < 0 THEN 'credit'
            WHEN l.billable <> 'billable' THEN 'cost_only'
            ELSE 'compare' END AS scope
FROM agreement_lines AS l
CROSS JOIN run
JOIN agreements AS a ON a.agreement_id = l.agreement_id
JOIN clients AS c ON c.client_id = l.client_id;

-- 2. Lines of one client and service are summed (T17). The line a change would go to: billable, latest, highest id.
--    A credit beside them changes what they come to, never their quantity (T33).
CREATE TABLE billed AS
WITH ranked AS (
  SELECT client_id, service_id, agreement_id, agreement_line_id, quantity_qty, included_qty, unit_price, unit_cost, cycle_months, currency, evidence,
         scope = 'compare' AS is_billable,
         CASE WHEN quantity_qty > included_qty THEN quantity_qty - included_qty ELSE 0 END AS net_qty,
         row_number() OVER (PARTITION BY client_id, service_id
                            ORDER BY scope = 'compare' DESC, effective_date DESC NULLS LAST, length(agreement_line_id) DESC, agreement_line_id DESC) AS place,
         count(*) OVER (PARTITION BY client_id, service_id) AS beside
  FROM placed_lines WHERE scope IN ('compare', 'cost_only')
)
SELECT client_id, service_id, count(*) AS lines, CAST(sum(quantity_qty) AS DECIMAL(18, 6)) AS contracted_qty,
       CAST(sum(least(included_qty, quantity_qty)) AS DECIMAL(18, 6)) AS included_qty, CAST(sum(net_qty) AS DECIMAL(18, 6)) AS billed_qty,
       max(CASE WHEN place = 1 THEN agreement_id END) AS agreement_id, max(CASE WHEN place = 1 THEN agreement_line_id END) AS agreement_line_id,
       max(CASE WHEN place = 1 THEN CASE WHEN is_billable THEN unit_price ELSE 0 END END) AS unit_price,
       max(CASE WHEN place = 1 THEN unit_cost END) AS line_cost, max(CASE WHEN place = 1 THEN cycle_months END) AS cycle_months,
       max(CASE WHEN place = 1 THEN currency END) AS currency,
       bool_or(is_billable) AS is_billable,
       min(currency) <> max(currency) OR min(cycle_months) <> max(cycle_months) AS is_mixed,
       min(unit_price) <> max(unit_price) AS has_several_prices,
       coalesce(string_agg(evidence, ' ' ORDER BY evidence) FILTER (WHERE beside > 1), min(evidence)) AS line_evidence
FROM ranked GROUP BY client_id, service_id;

-- Credits of one cycle and currency are summed, never two of them together.
CREATE TABLE credits AS
SELECT client_id, service_id, currency, client_currency, cycle_months, count(*) AS lines,
       CAST(sum(quantity_qty * unit_price) AS DECIMAL(18, 6)) AS credit_amount
FROM placed_lines WHERE scope = 'credit' GROUP BY client_id, service_id, currency, client_currency, cycle_months;

CREATE TABLE all_credits AS
SELECT client_id, service_id, sum(lines) AS lines FROM credits GROUP BY client_id, service_id;

-- 3. Counts of all sources of one measure are summed (T26); unknown in one is unknown in all. A service whose vendor bills in arrears
--    meets this month's lines with the month before's count (T110).
CREATE VIEW met AS
SELECT c.client_id, c.service_id, c.measure, c.source, c.is_known, c.quantity_qty, c.later_qty, c.committed_qty, c.commitment_end_date,
       c.unit_cost, c.currency, c.evidence
FROM counts AS c JOIN service_rules AS r ON r.service_id = c.service_id AND r.period_offset = 0
UNION ALL
SELECT c.client_id, c.service_id, c.measure, c.source, c.is_known, c.quantity_qty, c.later_qty, c.committed_qty, c.commitment_end_date,
       c.unit_cost, c.currency, c.evidence
FROM earlier_counts AS c JOIN service_rules AS r ON r.service_id = c.service_id AND r.period_offset = -1;

CREATE VIEW used AS
SELECT client_id, service_id, CAST(CASE WHEN bool_and(is_known) THEN sum(quantity_qty) END AS DECIMAL(18, 6)) AS used_qty,
       CAST(sum(later_qty) AS DECIMAL(18, 6)) AS used_later_qty
FROM met WHERE measure = 'used' GROUP BY client_id, service_id;

-- Over the sources something was bought at: one cost, known for each, or none; XXX stands for several currencies.
CREATE VIEW bought AS
SELECT client_id, service_id, CAST(CASE WHEN bool_and(is_known) THEN sum(quantity_qty) END AS DECIMAL(18, 6)) AS purchased_qty,
       CAST(sum(later_qty) AS DECIMAL(18, 6)) AS purchased_later_qty,
       CAST(CASE WHEN bool_and(is_known) THEN sum(committed_qty) END AS DECIMAL(18, 6)) AS committed_qty, min(commitment_end_date) AS commitment_end_date,
       CASE WHEN min(CASE WHEN is_bought THEN unit_cost END) = max(CASE WHEN is_bought THEN unit_cost END) AND NOT bool_or(is_bought AND unit_cost IS NULL)
            THEN min(CASE WHEN is_bought THEN unit_cost END) END AS vendor_cost,
       CASE WHEN min(CASE WHEN is_bought THEN currency END) <> max(CASE WHEN is_bought THEN currency END) THEN 'XXX'
            ELSE min(CASE WHEN is_bought THEN currency END) END AS vendor_currency
FROM (SELECT *, coalesce(quantity_qty, 1) > 0 AS is_bought FROM met WHERE measure = 'purchased') AS m
GROUP BY client_id, service_id;

-- Most services are counted by one source: sorting what there is one of would cost more than all sums.
CREATE TABLE counted_by AS
SELECT service_id, count(DISTINCT source) > 1 AS is_several FROM met GROUP BY service_id;

CREATE VIEW measured AS
SELECT s.client_id, s.service_id, u.used_qty, u.used_later_qty, b.purchased_qty, b.purchased_later_qty, b.committed_qty, b.commitment_end_date,
       b.vendor_cost, b.vendor_currency, s.count_source, s.count_evidence, s.factor
FROM (
  SELECT m.client_id, m.service_id, min(t.factor) AS factor,
         coalesce(string_agg(m.source, ' ' ORDER BY m.source) FILTER (WHERE b.is_several), min(m.source)) AS count_source,
         coalesce(string_agg(m.evidence, ' ' ORDER BY m.evidence) FILTER (WHERE b.is_several), min(m.evidence)) AS count_evidence
  FROM (SELECT client_id, service_id, source, max(evidence) AS evidence FROM met GROUP BY client_id, service_id, source) AS m
  JOIN counted_by AS b ON b.service_id = m.service_id
  LEFT JOIN trust AS t ON t.client_id = m.client_id AND t.source = m.source
  GROUP BY m.client_id, m.service_id
) AS s
LEFT JOIN used AS u ON u.client_id = s.client_id AND u.service_id = s.service_id
LEFT JOIN bought AS b ON b.client_id = s.client_id AND b.service_id = s.service_id;

-- 4. What the count alone asks for: rounded to what is sold (T47), never below the highest month where that is agreed (T37),
--    less excluded units or what the contract fixes (T34, T56), then minimum and maximum (T36).
CREATE VIEW counted AS
SELECT coalesce(b.client_id, m.client_id) AS client_id, coalesce(b.service_id, m.service_id) AS service_id,
       b.* EXCLUDE (client_id, service_id), m.* EXCLUDE (client_id, service_id),
       r.basis, r.is_counted OR m.client_id IS NOT NULL AS is_counted, r.expect, o.rule AS override_rule, r.rule, r.tolerance_units, r.tolerance_percent, r.tolerance_side,
       coalesce(o.ignore, FALSE) AS is_ignored, coalesce(o.not_resold, FALSE) AS is_not_resold, r.round_to, r.round_block, o.count_qty, p.peak_qty,
       CASE r.expect WHEN 'used' THEN m.used_qty WHEN 'purchased' THEN m.purchased_qty
            ELSE CASE WHEN m.used_qty IS NOT NULL AND m.purchased_qty IS NOT NULL THEN greatest(m.used_qty, m.purchased_qty) END END AS counted_qty,
       CASE r.expect WHEN 'used' THEN m.used_later_qty WHEN 'purchased' THEN m.purchased_later_qty
            ELSE greatest(coalesce(m.used_later_qty, 0), coalesce(m.purchased_later_qty, 0)) END AS later_qty,
       coalesce(b.included_qty, 0) + coalesce(o.included_qty, r.included_qty, 0) AS all_included_qty,
       coalesce(o.exclude_qty, 0) AS exclude_qty, coalesce(o.minimum, r.minimum) AS minimum, coalesce(o.maximum, r.maximum) AS maximum
FROM billed AS b
FULL JOIN measured AS m ON m.client_id = b.client_id AND m.service_id = b.service_id
JOIN service_rules AS r ON r.service_id = coalesce(b.service_id, m.service_id)
LEFT JOIN overrides AS o ON o.client_id = coalesce(b.client_id, m.client_id) AND o.service_id = coalesce(b.service_id, m.service_id)
LEFT JOIN peaks AS p ON p.client_id = coalesce(b.client_id, m.client_id) AND p.service_id = coalesce(b.service_id, m.service_id);

CREATE VIEW gross AS
SELECT *, CASE WHEN count_qty IS NOT NULL THEN count_qty
               WHEN rounded_qty IS NULL THEN NULL
               ELSE greatest(rounded_qty, coalesce(peak_qty, 0)) END AS raw_qty
FROM (
  SELECT *, CASE WHEN round_to IS NULL OR counted_qty IS NULL THEN counted_qty
                 WHEN counted_qty % round_block = 0 THEN counted_qty
                 WHEN round_to = 'down' OR (round_to = 'nearest' AND (counted_qty % round_block) * 2 < round_block) THEN counted_qty - counted_qty % round_block
                 ELSE counted_qty - counted_qty % round_block + round_block END AS rounded_qty
  FROM counted
) AS c;

CREATE TABLE asked AS
SELECT *, CASE WHEN count_qty IS NULL AND committed_qty IS NOT NULL THEN least(coalesce(billed_qty, 0), committed_qty) ELSE 0 END AS held_qty,
       CASE WHEN raw_qty IS NULL THEN NULL
               ELSE least(greatest(raw_qty - exclude_qty, coalesce(minimum, 0), 0), coalesce(maximum, greatest(raw_qty, minimum, 0))) END AS gross_qty
FROM gross;

-- 5. Bundles (T65–T67): the bundle is compared with its anchor, its other components only for what it does not cover.
--    Two bundles of one client on one anchor: a difference goes to the larger one, as an estimate.
CREATE TABLE bundled AS
WITH paired AS (
  SELECT b.client_id, b.service_id AS bundle_service_id, u.service_id AS anchor_service_id, b.billed_qty, b.contracted_qty,
         o.exclude_qty, o.minimum, o.maximum, o.all_included_qty, a.raw_qty, a.later_qty, a.count_source, a.count_evidence, a.factor,
         CASE WHEN a.gross_qty IS NOT NULL THEN greatest(a.gross_qty - coalesce(a.contracted_qty, 0), 0) END AS anchor_qty,
         sum(b.contracted_qty) OVER (PARTITION BY b.client_id, u.service_id) AS all_bundles_qty,
         count(*) OVER (PARTITION BY b.client_id, u.service_id) AS bundle_count,
         row_number() OVER (PARTITION BY b.client_id, u.service_id ORDER BY b.contracted_qty DESC, b.service_id) AS place
  FROM billed AS b
  JOIN bundles AS u ON u.bundle_service_id = b.service_id AND u.is_anchor
  JOIN asked AS o ON o.client_id = b.client_id AND o.service_id = b.service_id
  LEFT JOIN asked AS a ON a.client_id = b.client_id AND a.service_id = u.service_id
),
shared AS (
  SELECT *, CASE WHEN bundle_count = 1 THEN anchor_qty
                 WHEN place > 1 THEN CASE WHEN anchor_qty IS NOT NULL THEN contracted_qty END
                 ELSE contracted_qty + anchor_qty - all_bundles_qty END AS share_qty
  FROM paired
),
owed AS (
  SELECT *, CASE WHEN share_qty IS NOT NULL THEN greatest(share_qty - exclude_qty, 0) END AS cover_qty FROM shared
)
SELECT client_id, bundle_service_id, anchor_service_id, raw_qty, later_qty, count_source, count_evidence, factor, share_qty, cover_qty,
       bundle_count > 1 AS is_shared, coalesce(share_qty < 0, FALSE) AS is_short,
       CASE WHEN cover_qty IS NOT NULL
            THEN greatest(least(greatest(cover_qty, coalesce(minimum, 0)), coalesce(maximum, greatest(cover_qty, coalesce(minimum, 0)))) - all_included_qty, 0)
            END AS expected_qty
FROM owed;

CREATE VIEW covered AS
SELECT d.client_id, u.service_id, bool_or(u.is_anchor) AS is_anchor,
       CASE WHEN bool_and(d.cover_qty IS NOT NULL) THEN sum(d.cover_qty * u.units_qty) END AS covered_qty, min(d.bundle_service_id) AS bundle_service_id
FROM bundled AS d JOIN bundles AS u ON u.bundle_service_id = d.bundle_service_id
GROUP BY d.client_id, u.service_id;

-- 6. What should be billed. Units a client is committed to and billed for are due until the term ends, assigned or not (T86).
CREATE VIEW due AS
SELECT g.* EXCLUDE (raw_qty, later_qty), coalesce(d.raw_qty, g.raw_qty) AS raw_qty, coalesce(d.later_qty, g.later_qty, 0) AS later_qty,
       coalesce(g.later_qty, 0) AS own_later_qty,
       d.anchor_service_id, v.bundle_service_id, coalesce(v.is_anchor, FALSE) AS is_anchor,
       CASE WHEN g.is_not_resold AND g.lines IS NOT NULL THEN 0
            WHEN d.client_id IS NOT NULL THEN d.expected_qty
            WHEN g.gross_qty IS NULL THEN NULL
            WHEN v.is_anchor THEN least(coalesce(g.billed_qty, 0), greatest(g.gross_qty - g.all_included_qty, 0))
            WHEN v.client_id IS NULL THEN greatest(g.gross_qty - g.all_included_qty, g.held_qty, 0)
            WHEN v.covered_qty IS NULL THEN NULL
            ELSE greatest(g.gross_qty - v.covered_qty - g.all_included_qty, 0) END AS due_qty,
       coalesce(v.client_id IS NULL AND d.client_id IS NULL
                AND g.held_qty > greatest(g.gross_qty - g.all_included_qty, 0), FALSE) AS is_held,
       CASE WHEN NOT v.is_anchor AND v.covered_qty IS NOT NULL AND g.gross_qty IS NOT NULL
            THEN greatest(v.covered_qty - g.gross_qty, 0) END AS missing_qty,
       v.client_id IS NOT NULL AS is_component, d.client_id IS NOT NULL AS is_bundle, coalesce(d.is_short, FALSE) AS is_short,
       v.covered_qty, d.share_qty, coalesce(d.is_shared, FALSE) AS is_shared,
       d.count_source AS anchor_source, d.count_evidence AS anchor_evidence, d.factor AS anchor_factor
FROM asked AS g
LEFT JOIN bundled AS d ON d.client_id = g.client_id AND d.bundle_service_id = g.service_id
LEFT JOIN covered AS v ON v.client_id = g.client_id AND v.service_id = g.service_id;

CREATE VIEW held_up AS
SELECT DISTINCT g.client_id, g.service_id
FROM asked AS g JOIN reads AS r ON r.service_id = g.service_id
JOIN waiting AS w ON w.source = r.source AND (w.client_id = g.client_id OR w.service_id = g.service_id);

-- 7. Every cell with its numbers.
CREATE VIEW numbers AS
SELECT g.client_id, c.client_name, g.service_id, s.service_code, s.service_name,
       g.agreement_id, g.agreement_line_id, coalesce(g.lines, 0) AS lines, g.contracted_qty, g.billed_qty, g.included_qty,
       g.purchased_qty, g.used_qty, g.committed_qty, g.commitment_end_date,
       g.anchor_service_id, g.bundle_service_id, g.is_anchor, g.is_bundle, g.raw_qty, g.missing_qty, g.later_qty, g.is_held,
       g.counted_qty, g.rounded_qty, g.peak_qty, g.count_qty, g.exclude_qty, g.minimum, g.maximum, g.covered_qty, g.share_qty,
       g.all_included_qty, g.held_qty, g.due_qty,
       -- the catalogue speaks the book's currency
       CASE WHEN g.lines IS NOT NULL THEN g.unit_price
            WHEN coalesce(c.currency, (SELECT r.currency FROM run AS r)) = (SELECT r.currency FROM run AS r) THEN s.unit_price END AS unit_price,
       k.credit_amount, CAST(coalesce(x.lines, 0) - coalesce(k.lines, 0) AS BIGINT) AS other_credits,
       g.line_cost, g.vendor_cost, g.vendor_currency,
       coalesce(g.cycle_months, 1) AS cycle_months, coalesce(g.currency, c.currency, (SELECT r.currency FROM run AS r)) AS currency,
       coalesce(g.is_billable, FALSE) AS is_billable, coalesce(g.is_mixed, FALSE) OR g.is_short AS is_mixed,
       coalesce(g.has_several_prices, FALSE) OR g.is_shared AS has_several_prices,
       c.is_deleted OR NOT c.is_billable AS is_out_of_scope, o.client_id IS NOT NULL AS is_own, g.is_ignored, g.is_not_resold,
       g.basis, g.is_bundle OR g.is_counted AS is_counted, g.expect, g.tolerance_units, g.tolerance_percent, g.tolerance_side,
       w.client_id IS NOT NULL AS may_wait, coalesce(g.anchor_source, g.count_source) AS count_source,
       CASE WHEN g.is_bundle AND g.anchor_source IS NOT NULL THEN g.anchor_factor ELSE g.factor END AS factor,
       coalesce(g.override_rule, g.rule) AS rule,
       nullif(concat_ws(' ', g.line_evidence, coalesce(g.anchor_evidence, g.count_evidence)), '') AS evidence
FROM due AS g
JOIN clients AS c ON c.client_id = g.client_id
JOIN services AS s ON s.service_id = g.service_id
LEFT JOIN own_clients AS o ON o.client_id = g.client_id
LEFT JOIN credits AS k
  ON k.client_id = g.client_id AND k.service_id = g.service_id
 AND k.currency = coalesce(g.currency, k.client_currency) AND k.cycle_months = coalesce(g.cycle_months, 1)
LEFT JOIN all_credits AS x ON x.client_id = g.client_id AND x.service_id = g.service_id
LEFT JOIN held_up AS w ON w.client_id = g.client_id AND w.service_id = g.service_id
WHERE g.lines IS NOT NULL OR coalesce(g.used_qty, 0) <> 0 OR coalesce(g.purchased_qty, 0) <> 0 OR g.own_later_qty <> 0 OR g.is_component;

-- 8. What each cell means. The first word that fits holds.
CREATE VIEW worded AS
SELECT *, CASE WHEN basis IN ('flat', 'cloud') THEN basis
               WHEN is_out_of_scope AND lines = 0 THEN 'out_of_scope'
               WHEN is_own THEN 'own_use'
               WHEN is_ignored THEN 'ignored'
               WHEN is_not_resold AND lines = 0 THEN 'not_resold'
               WHEN basis = 'none' OR (lines > 0 AND NOT is_counted) THEN 'no_source'
               WHEN is_mixed THEN 'not_comparable'
               WHEN due_qty IS NULL THEN 'no_count'
               WHEN is_equal OR is_near THEN
                 CASE WHEN later_qty > 0 AND is_equal THEN 'timing'
                      WHEN bundle_service_id IS NOT NULL AND (is_anchor OR lines = 0) THEN 'covered'
                      WHEN is_equal THEN 'matched'
                      ELSE 'matched_within_tolerance' END
               WHEN lines = 0 THEN 'new_revenue'
               WHEN raw_qty = 0 AND due_qty = 0 THEN 'orphan_line'
               WHEN due_qty > coalesce(billed_qty, 0) THEN 'under_billed'
               ELSE 'over_billed' END AS status
FROM (
  SELECT *, due_qty = coalesce(billed_qty, 0) AS is_equal,
         (gap_qty <= tolerance_units OR gap_qty * 100 <= due_qty * tolerance_percent)
         AND (tolerance_side = 'both' OR (tolerance_side = 'under' AND due_qty >= coalesce(billed_qty, 0))
              OR (tolerance_side = 'over' AND due_qty <= coalesce(billed_qty, 0))) AS is_near
  FROM (SELECT *, abs(due_qty - coalesce(billed_qty, 0)) AS gap_qty FROM numbers) AS n
) AS n;

-- The four numbers in words: what each pair says where both are known and differ.
CREATE TABLE cells AS
SELECT w.* EXCLUDE (factor, is_out_of_scope, is_own, is_ignored, is_counted, tolerance_units, tolerance_percent, tolerance_side, may_wait,
                   gap_qty, is_equal, is_near, is_unknown),
       CASE WHEN is_unknown THEN NULL ELSE due_qty END AS expected_qty,
       CASE WHEN is_unknown THEN NULL ELSE due_qty - coalesce(billed_qty, 0) END AS variance_qty,
       CASE WHEN vendor_cost IS NOT NULL AND coalesce(vendor_currency, currency) = currency THEN vendor_cost
            WHEN cycle_months = 1 THEN line_cost END AS unit_cost,
       CASE WHEN status = 'new_revenue' OR has_several_prices OR is_waiting THEN 'estimated' ELSE 'calculated' END AS certainty,
       CAST((CASE WHEN is_waiting THEN least(coalesce(factor, 1), 0.5) ELSE coalesce(factor, 1) END)
            * (CASE WHEN status = 'new_revenue' OR has_several_prices OR is_waiting THEN 0.9 ELSE 1.0 END) AS DECIMAL(18, 6)) AS confidence,
       nullif(concat_ws(' ',
         CASE WHEN lines = 0 AND (used_qty > 0 OR purchased_qty > 0) THEN 'unbilled' END,
         CASE WHEN lines > 0 AND purchased_qty > billed_qty THEN 'margin_leak' END,
         CASE WHEN used_qty > purchased_qty THEN 'shadow_licences' END,
         CASE WHEN lines > 0 AND used_qty = 0 AND billed_qty > 0 THEN 'not_deployed'
              WHEN lines > 0 AND billed_qty > used_qty AND billed_qty > coalesce(committed_qty, 0) AND coalesce(expect, '') <> 'purchased' THEN 'refund_risk' END,
         CASE WHEN purchased_qty > used_qty THEN 'waste' END), '') AS diagnosis
FROM (
  SELECT *, may_wait AND status NOT IN ('no_source', 'flat', 'cloud', 'out_of_scope', 'own_use', 'ignored', 'not_resold') AS is_waiting,
         status IN ('no_count', 'no_source', 'flat', 'cloud', 'not_comparable', 'out_of_scope', 'own_use', 'ignored', 'not_resold') AS is_unknown
  FROM worded
) AS w;

CREATE TABLE line_buckets AS
SELECT l.agreement_line_id, l.client_id, l.service_id, CASE WHEN l.scope = 'compare' THEN c.status ELSE l.scope END AS bucket, l.quantity_qty, l.evidence
FROM placed_lines AS l
LEFT JOIN cells AS c ON c.client_id = l.client_id AND c.service_id = l.service_id;
