-- name: InsertCACertificate :exec
INSERT INTO ca_certificates (ca_certificate_id, pem, subject, status, auto_registration_status, certificate_mode,
    template_body, template_name, role_arn, generation_id, customer_version, not_before, not_after, created_at, last_modified_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- name: GetCACertificate :one
SELECT * FROM ca_certificates WHERE ca_certificate_id = $1;

-- name: ListCACertificatesOfSubject :many
SELECT * FROM ca_certificates WHERE subject = $1 ORDER BY created_at, ca_certificate_id;

-- name: UpdateCACertificate :exec
UPDATE ca_certificates SET status = $2, auto_registration_status = $3, template_body = $4, template_name = $5,
    role_arn = $6, generation_id = $7, customer_version = customer_version + 1, last_modified_at = $8
WHERE ca_certificate_id = $1;

-- name: DeleteCACertificate :exec
DELETE FROM ca_certificates WHERE ca_certificate_id = $1;

-- name: ListCACertificates :many
-- An empty template_name takes all.
SELECT * FROM ca_certificates
WHERE (created_at, ca_certificate_id) > (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_id) AS TEXT))
  AND (CAST(sqlc.arg(template_name) AS TEXT) = '' OR template_name = CAST(sqlc.arg(template_name) AS TEXT))
ORDER BY created_at, ca_certificate_id LIMIT sqlc.arg(size);

-- name: ListCACertificatesDescending :many
SELECT * FROM ca_certificates
WHERE (created_at, ca_certificate_id) < (CAST(sqlc.arg(after_time) AS BIGINT), CAST(sqlc.arg(after_id) AS TEXT))
  AND (CAST(sqlc.arg(template_name) AS TEXT) = '' OR template_name = CAST(sqlc.arg(template_name) AS TEXT))
ORDER BY created_at DESC, ca_certificate_id DESC LIMIT sqlc.arg(size);
