-- name: InsertServerCertificate :exec
INSERT INTO server_certificates (certificate_id, certificate_pem, chain_pem, key_pem, imported_at) VALUES ($1, $2, $3, $4, $5);

-- name: GetServerCertificate :one
SELECT * FROM server_certificates WHERE certificate_id = $1;

-- name: UpdateServerCertificate :exec
UPDATE server_certificates SET certificate_pem = $2, chain_pem = $3, key_pem = $4, imported_at = $5 WHERE certificate_id = $1;

-- name: InsertDomainConfiguration :exec
INSERT INTO domain_configurations (configuration_name, configuration_id, domain_name, server_certificate_arn, default_authorizer, allow_override,
    security_policy, authentication_type, application_protocol, status, status_changed_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- name: GetDomainConfiguration :one
SELECT * FROM domain_configurations WHERE configuration_name = $1;

-- name: UpdateDomainConfiguration :exec
UPDATE domain_configurations SET default_authorizer = $2, allow_override = $3, security_policy = $4, authentication_type = $5,
    application_protocol = $6, status = $7, status_changed_at = $8
WHERE configuration_name = $1;

-- name: DeleteDomainConfiguration :exec
DELETE FROM domain_configurations WHERE configuration_name = $1;

-- name: CountDomainConfigurations :one
SELECT COUNT(*) FROM domain_configurations;

-- name: ListDomainConfigurations :many
SELECT * FROM domain_configurations ORDER BY created_at, configuration_name;

-- name: GetDomainConfigurationOfAuthorizer :one
SELECT configuration_name FROM domain_configurations WHERE default_authorizer = $1 ORDER BY configuration_name LIMIT 1;
