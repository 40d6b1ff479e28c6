-- name: InsertCertificate :exec
INSERT INTO certificates (certificate_id, ca_certificate_id, pem, status, certificate_mode, origin,
    generation_id, customer_version, not_before, not_after, created_at, last_modified_at, subject, issuer)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);

-- name: GetCertificate :one
SELECT * FROM certificates WHERE certificate_id = $1;

-- name: SetCertificateStatus :exec
UPDATE certificates SET status = $2, generation_id = $3, customer_version = customer_version + 1, last_modified_at = $4
WHERE certificate_id = $1;

-- name: DeleteCertificate :exec
DELETE FROM certificates WHERE certificate_id = $1;

-- name: ListCertificates :many
SELECT * FROM certificates WHERE (created_at, certificate_id) > (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_id) AS TEXT))
ORDER BY created_at, certificate_id LIMIT sqlc.arg(size);

-- name: ListCertificatesDescending :many
SELECT * FROM certificates WHERE (created_at, certificate_id) < (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_id) AS TEXT))
ORDER BY created_at DESC, certificate_id DESC LIMIT sqlc.arg(size);

-- name: ListCertificatesByCA :many
SELECT * FROM certificates WHERE ca_certificate_id = sqlc.arg(ca_certificate_id) AND (created_at, certificate_id) > (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_id) AS TEXT))
ORDER BY created_at, certificate_id LIMIT sqlc.arg(size);

-- name: ListCertificatesByCADescending :many
SELECT * FROM certificates WHERE ca_certificate_id = sqlc.arg(ca_certificate_id) AND (created_at, certificate_id) < (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_id) AS TEXT))
ORDER BY created_at DESC, certificate_id DESC LIMIT sqlc.arg(size);

-- name: GetNewestCertificateOfSubject :one
SELECT * FROM certificates WHERE subject = $1 ORDER BY created_at DESC, certificate_id DESC LIMIT 1;

-- name: ListCertificatesWithoutNames :many
SELECT certificate_id, pem FROM certificates WHERE subject = '' ORDER BY created_at, certificate_id LIMIT $1;

-- name: SetCertificateNames :exec
UPDATE certificates SET subject = $2, issuer = $3 WHERE certificate_id = $1;

-- name: LastCertificateEvent :one
SELECT CAST(COALESCE(MAX(event_number), 0) AS BIGINT) FROM certificate_events WHERE certificate_id = $1;

-- name: InsertCertificateEvent :exec
INSERT INTO certificate_events (certificate_id, event_number, previous_status, status, happened_at)
VALUES ($1, $2, $3, $4, $5);

-- name: ForgetCertificateEvents :exec
DELETE FROM certificate_events WHERE certificate_id = $1 AND event_number <= $2;

-- name: ListCertificateEvents :many
SELECT * FROM certificate_events WHERE certificate_id = $1 ORDER BY event_number;
