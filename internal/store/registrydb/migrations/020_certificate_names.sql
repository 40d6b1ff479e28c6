-- The names in a certificate, to find certificates of the same device. SQL can't
-- read them from the PEM form: the registry fills the rows that have '' when it opens.
ALTER TABLE certificates ADD COLUMN subject TEXT NOT NULL DEFAULT ''; -- hex of the DER subject, never '' when filled
ALTER TABLE certificates ADD COLUMN issuer TEXT NOT NULL DEFAULT '';  -- hex of the DER issuer
CREATE INDEX certificates_by_subject ON certificates (subject, created_at, certificate_id);
