-- Devices that one service has and its pair lacks (T62), where both counts are known. A device that the pair's own product shows, and
-- another service counts, is not lacking: a server with an agent is no workstation without management. Runs after counting.sql.
--
-- In:  everything counting.sql makes, pairs (service_id, other_id, reason), and the built view pair_traits over pair_records
-- Out: gaps
CREATE TABLE pair_products AS
SELECT DISTINCT s.service_id, s.source, p.vendor_product_id
FROM count_specs AS s
JOIN spec_products AS p ON p.spec_id = s.spec_id
JOIN (SELECT service_id FROM pairs UNION SELECT other_id FROM pairs) AS o ON o.service_id = s.service_id
WHERE s.measure = 'used' AND s.only_client IS NULL;

CREATE TABLE pair_records AS
SELECT u.*
FROM slim_records AS u
JOIN (SELECT DISTINCT source, vendor_product_id FROM pair_products) AS p ON p.source = u.source AND p.vendor_product_id = u.vendor_product_id
WHERE u.unit_key IS NOT NULL;

CREATE TABLE seen_keys AS
SELECT DISTINCT a.client_id, f.service_id, u.source, u.vendor_product_id, u.unit_key
FROM pair_traits AS u
LEFT JOIN moved_accounts AS o
  ON o.source = u.source AND o.vendor_account_id = u.vendor_account_id AND o.vendor_product_id = u.vendor_product_id
JOIN kinds AS k
  ON k.record_kind = 'usage' AND k.source = u.source AND k.vendor_product_id = u.vendor_product_id
 AND k.only_client = coalesce(o.client_id, '') AND k.passes = u.passes AND k.stale_level = u.stale_level AND k.is_later = u.is_later AND k.has_key = u.has_key AND k.usage_date IS NOT DISTINCT FROM u.usage_date
JOIN fates AS f ON f.kind_id = k.kind_id AND f.fate = 'counted'
JOIN account_map AS a ON a.source = u.source AND a.vendor_account_id = u.vendor_account_id AND a.state = 'mapped';

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
