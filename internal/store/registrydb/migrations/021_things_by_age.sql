-- Things and thing types are listed by age, like certificates and policies.
CREATE INDEX things_by_age ON things (created_at, thing_name);
DROP INDEX things_by_type;
CREATE INDEX things_by_type ON things (thing_type_name, created_at, thing_name);
CREATE INDEX thing_types_by_age ON thing_types (created_at, thing_type_name);
