-- What proves that a split tenant lost nothing (T32). Runs before counting.sql, over usage_records as they came.
--
-- In:  tenant_records, split_tenants (source, vendor_account_id), and the built view claims (records of tenants whose field holds several values,
--      with how many parts claim each)
-- Out: split_totals (what parts and remainder must add up to), claimed_twice (the first few records that two parts claim)
CREATE TABLE split_totals AS
SELECT u.source, u.vendor_account_id, count(*) AS records, CAST(sum(u.quantity_qty) AS DECIMAL(38, 6)) AS quantity_qty
FROM tenant_records AS u
JOIN split_tenants AS t ON t.source = u.source AND t.vendor_account_id = u.vendor_account_id
GROUP BY u.source, u.vendor_account_id;

CREATE TABLE claimed_twice AS
SELECT source, usage_record_id, vendor_account_id, value
FROM claims WHERE claims > 1
ORDER BY source, usage_record_id LIMIT 3;
