-- A small shop: bulk inserts, indexes, joins, aggregates, windows, recursion, JSON, text search.
CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT NOT NULL, region INTEGER NOT NULL);
CREATE TABLE sale(id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customer(id),
                  day INTEGER NOT NULL, cents INTEGER NOT NULL, note TEXT);

BEGIN;
INSERT INTO customer
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
  SELECT i, 'customer ' || printf('%04x', (i * 40503) & 65535), i % 7 FROM n;
INSERT INTO sale
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
  SELECT i, 1 + (i * 7919) % 2000, (i * 31) % 365, (i * 2654435761) % 100000,
         CASE WHEN i % 5 = 0 THEN 'note ' || (i % 97) END
  FROM n;
COMMIT;
CREATE INDEX sale_customer ON sale(customer, day);
ANALYZE;

SELECT 'totals', count(*), sum(cents), min(cents), max(cents), count(note) FROM sale;
SELECT region, count(DISTINCT c.id), sum(cents) FROM customer c JOIN sale s ON s.customer = c.id
  GROUP BY region ORDER BY region;
SELECT name, sum(cents) AS spent FROM customer c JOIN sale s ON s.customer = c.id
  GROUP BY c.id ORDER BY spent DESC, name LIMIT 5;
SELECT day, cents, running FROM (
  SELECT day, cents, sum(cents) OVER (ORDER BY day, id) AS running,
         row_number() OVER (ORDER BY day, id) AS place FROM sale WHERE customer < 200)
  WHERE place % 700 = 0;
SELECT count(*) FROM sale WHERE note LIKE '%e 4_';
SELECT count(*) FROM customer c
  WHERE EXISTS (SELECT 1 FROM sale s WHERE s.customer = c.id AND s.day BETWEEN 100 AND 110);

UPDATE sale SET cents = cents + 100 WHERE customer IN (SELECT id FROM customer WHERE region = 3);
DELETE FROM sale WHERE day % 10 = 4;
SELECT 'after', count(*), sum(cents) FROM sale;

SELECT json_extract(doc, '$.list[2].k'), json_array_length(doc, '$.list') FROM (
  SELECT json_object('list', json_array(1, 2, json_object('k', 'value'))) AS doc);
WITH RECURSIVE
  axis(v) AS (SELECT -1.0 UNION ALL SELECT v + 0.1 FROM axis WHERE v < 1.0),
  step(i, cx, cy, x, y) AS (
    SELECT 0, a.v - 0.5, b.v, 0.0, 0.0 FROM axis a, axis b
    UNION ALL
    SELECT i + 1, cx, cy, x * x - y * y + cx, 2.0 * x * y + cy FROM step
      WHERE x * x + y * y < 4.0 AND i < 28)
  SELECT 'mandelbrot', count(*), max(i) FROM step;
PRAGMA integrity_check;
