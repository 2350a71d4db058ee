-- From agreement lines and counts to one comparison per client and service, and one bucket per line.
--
-- In:  clients, services, agreements, agreement_lines, counts, account_map, product_map,
--      service_rules (service_id, basis, expect, minimum, maximum, included_qty, is_counted, rule),
--      overrides (client_id, service_id, exclude_qty, minimum, included_qty, rule), bundles (bundle_service_id, service_id, units_qty, is_anchor),
--      run (as_of, period_start, next_start, currency, tolerance_qty)
-- Out: placed_lines (every line and its scope), cells (numbers only; statuses, money and words follow in comparison.py)
-- Only +, -, x, min, max and SUM touch quantities. GREATEST and LEAST skip nulls, so every one stands behind a test for null (T1).

-- 1. Scope of every line (T13–T18).
CREATE TABLE placed_lines AS
SELECT l.*, a.cycle_months, a.agreement_name, coalesce(a.currency, c.currency, run.currency) AS currency,
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
CREATE TABLE billed AS
WITH ranked AS (
  SELECT *, greatest(quantity_qty - included_qty, 0) AS net_qty,
         row_number() OVER (PARTITION BY client_id, service_id
                            ORDER BY scope DESC, effective_date DESC NULLS LAST, length(agreement_line_id) DESC, agreement_line_id DESC) AS place
  FROM (SELECT * REPLACE (CASE WHEN scope = 'compare' THEN 'b' ELSE 'a' END AS scope) FROM placed_lines WHERE scope IN ('compare', 'cost_only'))
)
SELECT client_id, service_id, count(*) AS lines, sum(quantity_qty) AS contracted_qty, sum(least(included_qty, quantity_qty)) AS included_qty, sum(net_qty) AS billed_qty,
       max(agreement_id) FILTER (WHERE place = 1) AS agreement_id, max(agreement_line_id) FILTER (WHERE place = 1) AS agreement_line_id,
       max(CASE WHEN scope = 'b' THEN unit_price ELSE 0 END) FILTER (WHERE place = 1) AS unit_price,
       max(unit_cost) FILTER (WHERE place = 1) AS line_cost, max(cycle_months) FILTER (WHERE place = 1) AS cycle_months,
       max(currency) FILTER (WHERE place = 1) AS currency,
       bool_or(scope = 'b') AS is_billable,
       min(currency) <> max(currency) OR min(cycle_months) <> max(cycle_months) AS is_mixed,
       min(unit_price) <> max(unit_price) AS has_several_prices,
       string_agg(evidence, ' ' ORDER BY evidence) AS line_evidence
FROM ranked GROUP BY client_id, service_id;

-- 3. Counts of all sources of one measure are summed (T26); unknown in one is unknown in all.
CREATE TABLE measured AS
SELECT client_id, service_id,
       CASE WHEN bool_and(is_known) FILTER (WHERE measure = 'used') THEN sum(quantity_qty) FILTER (WHERE measure = 'used') END AS used_qty,
       CASE WHEN bool_and(is_known) FILTER (WHERE measure = 'purchased') THEN sum(quantity_qty) FILTER (WHERE measure = 'purchased') END AS purchased_qty,
       sum(later_qty) FILTER (WHERE measure = 'used') AS used_later_qty, sum(later_qty) FILTER (WHERE measure = 'purchased') AS purchased_later_qty,
       -- over the sources something was bought at: one cost, known for each, or none; XXX stands for several currencies
       CASE WHEN min(unit_cost) FILTER (WHERE measure = 'purchased' AND coalesce(quantity_qty, 1) > 0) = max(unit_cost) FILTER (WHERE measure = 'purchased' AND coalesce(quantity_qty, 1) > 0)
             AND count(unit_cost) FILTER (WHERE measure = 'purchased' AND coalesce(quantity_qty, 1) > 0) = count(*) FILTER (WHERE measure = 'purchased' AND coalesce(quantity_qty, 1) > 0)
            THEN min(unit_cost) FILTER (WHERE measure = 'purchased' AND coalesce(quantity_qty, 1) > 0) END AS vendor_cost,
       CASE WHEN min(currency) FILTER (WHERE measure = 'purchased' AND coalesce(quantity_qty, 1) > 0) <> max(currency) FILTER (WHERE measure = 'purchased' AND coalesce(quantity_qty, 1) > 0)
            THEN 'XXX' ELSE min(currency) FILTER (WHERE measure = 'purchased' AND coalesce(quantity_qty, 1) > 0) END AS vendor_currency,
       string_agg(DISTINCT source, ' ' ORDER BY source) AS count_source,
       string_agg(evidence, ' ' ORDER BY measure, source) AS count_evidence
FROM counts GROUP BY client_id, service_id;

-- 4. What the count alone asks for: raw - excluded units, then minimum and maximum (T34, T36).
CREATE TABLE gross AS
SELECT coalesce(b.client_id, m.client_id) AS client_id, coalesce(b.service_id, m.service_id) AS service_id,
       b.* EXCLUDE (client_id, service_id), m.* EXCLUDE (client_id, service_id),
       r.basis, r.is_counted, r.expect, o.rule AS override_rule, r.rule,
       CASE r.expect WHEN 'used' THEN m.used_qty WHEN 'purchased' THEN m.purchased_qty
            ELSE CASE WHEN m.used_qty IS NOT NULL AND m.purchased_qty IS NOT NULL THEN greatest(m.used_qty, m.purchased_qty) END END AS raw_qty,
       CASE r.expect WHEN 'used' THEN m.used_later_qty WHEN 'purchased' THEN m.purchased_later_qty
            ELSE greatest(coalesce(m.used_later_qty, 0), coalesce(m.purchased_later_qty, 0)) END AS later_qty,
       coalesce(b.included_qty, 0) + coalesce(o.included_qty, r.included_qty, 0) AS all_included_qty,
       coalesce(o.exclude_qty, 0) AS exclude_qty, coalesce(o.minimum, r.minimum) AS minimum, r.maximum
FROM billed AS b
FULL JOIN measured AS m ON m.client_id = b.client_id AND m.service_id = b.service_id
JOIN service_rules AS r ON r.service_id = coalesce(b.service_id, m.service_id)
LEFT JOIN overrides AS o ON o.client_id = coalesce(b.client_id, m.client_id) AND o.service_id = coalesce(b.service_id, m.service_id);

CREATE TABLE asked AS
SELECT *, CASE WHEN raw_qty IS NULL THEN NULL
               ELSE least(greatest(raw_qty - exclude_qty, coalesce(minimum, 0), 0), coalesce(maximum, greatest(raw_qty, minimum, 0))) END AS gross_qty
FROM gross;

-- 5. Bundles (T65–T67): the bundle is compared with its anchor, its other components only for what it does not cover.
--    Two bundles of one client on one anchor: a difference goes to the larger one, as an estimate.
CREATE TABLE bundled AS
WITH paired AS (
  SELECT b.client_id, b.service_id AS bundle_service_id, u.service_id AS anchor_service_id, b.billed_qty, b.contracted_qty,
         o.exclude_qty, o.minimum, o.maximum, o.all_included_qty, a.raw_qty, a.later_qty, a.count_source, a.count_evidence,
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
due AS (
  SELECT *, CASE WHEN share_qty IS NOT NULL THEN greatest(share_qty - exclude_qty, 0) END AS cover_qty FROM shared
)
SELECT client_id, bundle_service_id, anchor_service_id, raw_qty, later_qty, count_source, count_evidence, cover_qty,
       bundle_count > 1 AS is_shared, coalesce(share_qty < 0, FALSE) AS is_short,
       CASE WHEN cover_qty IS NOT NULL
            THEN greatest(least(greatest(cover_qty, coalesce(minimum, 0)), coalesce(maximum, greatest(cover_qty, coalesce(minimum, 0)))) - all_included_qty, 0)
            END AS expected_qty
FROM due;

CREATE TABLE covered AS
SELECT d.client_id, u.service_id, bool_or(u.is_anchor) AS is_anchor,
       CASE WHEN bool_and(d.cover_qty IS NOT NULL) THEN sum(d.cover_qty * u.units_qty) END AS covered_qty, min(d.bundle_service_id) AS bundle_service_id
FROM bundled AS d JOIN bundles AS u ON u.bundle_service_id = d.bundle_service_id
GROUP BY d.client_id, u.service_id;

-- 6. Numbers of every cell.
CREATE TABLE cells AS
SELECT g.client_id, c.client_name, g.service_id, s.service_code, s.service_name,
       g.agreement_id, g.agreement_line_id, coalesce(g.lines, 0) AS lines, g.contracted_qty, g.billed_qty, g.included_qty,
       g.purchased_qty, g.used_qty, d.anchor_service_id, v.bundle_service_id, coalesce(v.is_anchor, FALSE) AS is_anchor,
       coalesce(d.raw_qty, g.raw_qty) AS raw_qty,
       CASE WHEN d.client_id IS NOT NULL THEN d.expected_qty
            WHEN g.gross_qty IS NULL THEN NULL
            WHEN v.is_anchor THEN least(coalesce(g.billed_qty, 0), greatest(g.gross_qty - g.all_included_qty, 0))
            WHEN v.client_id IS NULL THEN greatest(g.gross_qty - g.all_included_qty, 0)
            WHEN v.covered_qty IS NULL THEN NULL
            ELSE greatest(g.gross_qty - v.covered_qty - g.all_included_qty, 0) END AS expected_qty,
       CASE WHEN NOT v.is_anchor AND v.covered_qty IS NOT NULL AND g.gross_qty IS NOT NULL
            THEN greatest(v.covered_qty - g.gross_qty, 0) END AS missing_qty,
       coalesce(d.later_qty, g.later_qty, 0) AS later_qty,
       CASE WHEN g.lines IS NULL THEN s.unit_price ELSE g.unit_price END AS unit_price,
       g.line_cost, g.vendor_cost, g.vendor_currency,
       coalesce(g.cycle_months, 1) AS cycle_months, coalesce(g.currency, c.currency, run.currency) AS currency,
       coalesce(g.is_billable, FALSE) AS is_billable, coalesce(g.is_mixed, FALSE) OR coalesce(d.is_short, FALSE) AS is_mixed,
       coalesce(g.has_several_prices, FALSE) OR coalesce(d.is_shared, FALSE) AS has_several_prices,
       c.is_deleted OR NOT c.is_billable AS is_out_of_scope,
       g.basis, coalesce(d.client_id IS NOT NULL, FALSE) OR g.is_counted AS is_counted, g.expect,
       coalesce(d.count_source, g.count_source) AS count_source, coalesce(g.override_rule, g.rule) AS rule,
       nullif(concat_ws(' ', g.line_evidence, coalesce(d.count_evidence, g.count_evidence)), '') AS evidence
FROM asked AS g
CROSS JOIN run
JOIN clients AS c ON c.client_id = g.client_id
JOIN services AS s ON s.service_id = g.service_id
LEFT JOIN bundled AS d ON d.client_id = g.client_id AND d.bundle_service_id = g.service_id
LEFT JOIN covered AS v ON v.client_id = g.client_id AND v.service_id = g.service_id
WHERE g.lines IS NOT NULL OR coalesce(g.used_qty, 0) <> 0 OR coalesce(g.purchased_qty, 0) <> 0 OR coalesce(g.later_qty, 0) <> 0
   OR v.client_id IS NOT NULL
ORDER BY g.client_id, g.service_id;
