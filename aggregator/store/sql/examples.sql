-- Questions that people ask, three for each view: printed in docs/schema.md, run by the tests, timed by benchmarks/store.
-- ":item_id" and the like stand for values; docs/schema.md shows some.

-- # coverage
-- The newest items.
SELECT label, flag, country_name, outlet, title, link FROM coverage ORDER BY item_id DESC LIMIT 20;

-- The page of one item.
SELECT label, flag, country_name, outlet, coalesce(reader_title, title) AS title, coalesce(reader_summary, sentence) AS summary,
       coalesce(reader_body, body) AS body, link, similar_count
FROM coverage WHERE item_id = :item_id;

-- What one country's outlets published in the last 24 hours.
SELECT label, outlet, title, link FROM coverage
WHERE country = :country AND published_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day')
ORDER BY published_at DESC LIMIT 20;

-- # similar_coverage
-- 📡 Similar Coverage: who else tells what this item tells.
SELECT label, flag, country_name, outlet, title, link FROM similar_coverage WHERE item_id = :item_id ORDER BY published_at;

-- Only from other countries, and no reprints.
SELECT flag, country_name, outlet, coalesce(reader_title, title) AS title, link FROM similar_coverage
WHERE item_id = :item_id AND NOT same_country AND NOT reprint ORDER BY similarity DESC LIMIT 20;

-- In how many languages, and how many items in each.
SELECT language_name, count(*) AS items, count(DISTINCT outlet) AS outlets FROM similar_coverage
WHERE item_id = :item_id GROUP BY language_name ORDER BY items DESC;

-- # top_stories
-- The top stories of the last 24 hours.
SELECT story_id, flags, title, outlet_count, country_count, score FROM top_stories
WHERE last_item_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day') ORDER BY score DESC LIMIT 20;

-- Those told in one country.
SELECT story_id, flags, title, outlet_count, score FROM top_stories
WHERE last_item_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day')
  AND ' ' || countries || ' ' LIKE '% ' || :country || ' %'
ORDER BY score DESC LIMIT 20;

-- Those that began in the last 6 hours and are told in two countries already.
SELECT story_id, flags, title, outlet_count, first_item_at FROM top_stories
WHERE last_item_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-6 hours') AND country_count > 1
  AND first_item_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-6 hours')
ORDER BY outlet_count DESC LIMIT 20;

-- # story_heads
-- What a story is about.
SELECT coalesce(reader_title, title) AS title, coalesce(reader_summary, sentence) AS summary, flag, outlet, link
FROM story_heads WHERE story_id = :story_id;

-- The top stories with their summaries.
SELECT t.flags, coalesce(h.reader_title, h.title) AS title, coalesce(h.reader_summary, h.sentence) AS summary, t.outlet_count, h.link
FROM (SELECT story_id, flags, outlet_count, score FROM top_stories
      WHERE last_item_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day') ORDER BY score DESC LIMIT 20) AS t
JOIN story_heads AS h ON h.story_id = t.story_id ORDER BY t.score DESC;

-- The story of an item.
SELECT story_id, coalesce(reader_title, title) AS title, reader_origin FROM story_heads
WHERE story_id = (SELECT story_id FROM story_items WHERE item_id = :item_id);

-- # story_digest
-- What the outlets add to one another, in English.
SELECT flag, outlet, sentence, link FROM story_digest WHERE story_id = :story_id AND language = 'en' ORDER BY position;

-- In every language.
SELECT language, flag, outlet, sentence FROM story_digest WHERE story_id = :story_id ORDER BY language, position;

-- The top stories, each with the sentence that says most.
SELECT t.flags, t.title, d.outlet, d.sentence
FROM (SELECT story_id, flags, title, score FROM top_stories
      WHERE last_item_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day') ORDER BY score DESC LIMIT 20) AS t
JOIN story_digest AS d ON d.story_id = t.story_id AND d.language = 'en' AND d.position = 1 ORDER BY t.score DESC;

-- # first_reports
-- Who reported a story first.
SELECT label, flag, outlet, title, link FROM first_reports WHERE story_id = :story_id;

-- The outlets that were first with most of the stories of the last 24 hours.
SELECT f.flag, f.outlet, count(*) AS stories FROM top_stories AS t JOIN first_reports AS f ON f.story_id = t.story_id
WHERE t.last_item_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day') GROUP BY f.flag, f.outlet ORDER BY stories DESC LIMIT 20;

-- The top stories, each with who reported it first.
SELECT t.flags, t.title, f.label, f.flag, f.outlet
FROM (SELECT story_id, flags, title, score FROM top_stories
      WHERE last_item_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day') ORDER BY score DESC LIMIT 20) AS t
JOIN first_reports AS f ON f.story_id = t.story_id ORDER BY t.score DESC;

-- # story_timeline
-- A story, from the first report to the last.
SELECT label, flag, outlet, coalesce(reader_title, title) AS title, link FROM story_timeline
WHERE story_id = :story_id ORDER BY published_at, item_id;

-- How long it took to reach each country, in minutes.
SELECT flag, country_name, min(minutes) AS minutes FROM story_timeline
WHERE story_id = :story_id GROUP BY country ORDER BY minutes;

-- The story of an item, texts of outlets' own only.
SELECT label, flag, outlet, title FROM story_timeline
WHERE story_id = (SELECT story_id FROM story_items WHERE item_id = :item_id) AND NOT reprint ORDER BY published_at;

-- # stories_by_country
-- The countries that tell a story, the loudest first.
SELECT flag, country_name, item_count, outlet_count, languages FROM stories_by_country
WHERE story_id = :story_id ORDER BY item_count DESC;

-- In which order it reached them.
SELECT flag, country_name, first_item_at FROM stories_by_country WHERE story_id = :story_id ORDER BY first_item_at;

-- Where outlets write texts of their own about it.
SELECT flag, country_name, independent_count FROM stories_by_country
WHERE story_id = :story_id AND independent_count > 0 ORDER BY independent_count DESC;

-- # search
-- The best of the newest 1,000 items with a word. Without that bound all are ranked: a million matches take a second.
SELECT flag, outlet, title, snippet
FROM (SELECT * FROM search WHERE words MATCH :word ORDER BY item_id DESC LIMIT 1000) ORDER BY rank LIMIT 20;

-- The newest with two words: quick also for words that occur everywhere.
SELECT label, flag, outlet, title FROM search WHERE words MATCH :two_words ORDER BY item_id DESC LIMIT 20;

-- The best of them that are of the last week, with their stories.
SELECT label, flag, outlet, title, story_id
FROM (SELECT * FROM search WHERE words MATCH :word ORDER BY item_id DESC LIMIT 1000)
WHERE published_at >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-7 days') ORDER BY rank LIMIT 20;

-- # search_characters
-- Items with these characters, the best match first.
SELECT flag, outlet, title, snippet FROM search_characters WHERE characters MATCH :characters ORDER BY rank LIMIT 20;

-- The newest of them.
SELECT label, flag, outlet, title FROM search_characters WHERE characters MATCH :characters ORDER BY item_id DESC LIMIT 20;

-- How many in each country.
SELECT flag, country, count(*) AS items FROM search_characters WHERE characters MATCH :characters GROUP BY country;

-- # changes
-- What happened after the last change you know of.
SELECT seq, at, kind, item_id, story_id, feed_id, detail FROM changes WHERE seq > :seq ORDER BY seq LIMIT 1000;

-- New items since then, with their texts.
SELECT h.seq, c.label, c.flag, c.outlet, c.title, c.link
FROM changes AS h JOIN coverage AS c ON c.item_id = h.item_id
WHERE h.seq > :seq AND h.kind = 'new' ORDER BY h.seq LIMIT 100;

-- Where you are: the number to start from when you want what comes from now on.
SELECT max(seq) AS seq FROM changes;

-- # feed_health
-- Feeds that need a look.
SELECT state, flag, outlet, failures, last_error, url FROM feed_health
WHERE state IN ('failing', 'blocked', 'gone') OR stale ORDER BY failures DESC LIMIT 20;

-- How many feeds are in which state.
SELECT state, count(*) AS feeds FROM feed_health GROUP BY state ORDER BY feeds DESC;

-- When the feeds of a country are polled next, and why then.
SELECT outlet, url, next_poll_at, why FROM feed_health WHERE country = :country ORDER BY next_poll_at LIMIT 20;

-- # polls_recent
-- The last polls.
SELECT started_at, flag, outlet, outcome, status, new_items, elapsed_ms, why FROM polls_recent ORDER BY poll_id DESC LIMIT 20;

-- The last polls of one feed.
SELECT started_at, outcome, status, detail, new_items, next_poll_at FROM polls_recent
WHERE feed_id = :feed_id ORDER BY poll_id DESC LIMIT 20;

-- How the last 1,000 polls ended.
SELECT outcome, coalesce(reason, '') AS reason, count(*) AS polls FROM polls_recent
WHERE poll_id > (SELECT max(poll_id) FROM polls) - 1000 GROUP BY outcome, reason ORDER BY polls DESC;
