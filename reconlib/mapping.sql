-- What hangs on each vendor account and product: units, and the monthly cost of what was bought for it, free and later units aside.
--
-- In:  usage_records, purchases, vendor_products, run (as_of)
-- Out: account_stakes, product_stakes (source, vendor_id, units_qty, monthly_cost, currency); cost is null where not all of it is known
CREATE VIEW at_stake AS
SELECT u.source, u.vendor_account_id, u.vendor_product_id, u.quantity_qty, CAST(NULL AS DECIMAL(18, 6)) AS unit_cost, NULL AS currency
FROM usage_records AS u CROSS JOIN run
JOIN vendor_products AS v ON v.source = u.source AND v.vendor_product_id = u.vendor_product_id AND NOT v.is_free
WHERE u.created_date IS NULL OR u.created_date <= run.as_of
UNION ALL
SELECT p.source, p.vendor_account_id, p.vendor_product_id, p.quantity_qty, p.unit_cost, p.currency
FROM purchases AS p CROSS JOIN run
JOIN vendor_products AS v ON v.source = p.source AND v.vendor_product_id = p.vendor_product_id AND NOT v.is_free
WHERE p.is_active AND NOT p.is_free AND (p.start_date IS NULL OR p.start_date <= run.as_of);

CREATE VIEW account_stakes AS
SELECT source, vendor_account_id AS vendor_id, sum(quantity_qty) AS units_qty,
       CASE WHEN count(unit_cost) = count(*) AND min(currency) = max(currency) THEN sum(quantity_qty * unit_cost) END AS monthly_cost,
       min(currency) AS currency
FROM at_stake GROUP BY source, vendor_account_id;

CREATE VIEW product_stakes AS
SELECT source, vendor_product_id AS vendor_id, sum(quantity_qty) AS units_qty,
       CASE WHEN count(unit_cost) = count(*) AND min(currency) = max(currency) THEN sum(quantity_qty * unit_cost) END AS monthly_cost,
       min(currency) AS currency
FROM at_stake GROUP BY source, vendor_product_id;
