package function

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"
)

// CreateAlias makes an alias of a version.
func (s *Service) CreateAlias(ctx context.Context, function string, in Alias) (Alias, string, error) {
	rec, err := s.update(ctx, function, "", func(rec *record, _ reference) error {
		if !validAlias(in.Name) || numberPattern.MatchString(in.Name) {
			return refusal(InvalidParameter, "%q is no name of an alias: 1 to 128 letters, digits, hyphens and underscores, and not only digits.", short(in.Name))
		}
		if _, exists := rec.Aliases[in.Name]; exists {
			return refusal(ResourceConflict, "Alias already exists: %s", qualified(s.arn(rec.Name), in.Name))
		}
		if err := s.pointsToVersion(rec, in.FunctionVersion); err != nil {
			return err
		}
		in.RevisionID = uuid.NewString()
		rec.Aliases[in.Name] = in
		return nil
	})
	if err != nil {
		return Alias{}, "", err
	}
	return in, qualified(s.arn(rec.Name), in.Name), nil
}

func (s *Service) pointsToVersion(rec *record, version string) error {
	if _, isAlias := rec.Aliases[version]; isAlias {
		return refusal(InvalidParameter, "An alias points to a version, and %s is an alias.", version)
	}
	if _, ok := rec.version(version); !ok {
		return refusal(ResourceNotFound, "Function not found: %s", qualified(s.arn(rec.Name), short(version)))
	}
	return nil
}

// UpdateAlias changes an alias; nil leaves a member as it is.
func (s *Service) UpdateAlias(ctx context.Context, function, name string, version, description *string, revision string) (Alias, string, error) {
	var alias Alias
	rec, err := s.update(ctx, function, "", func(rec *record, _ reference) error {
		var ok bool
		if alias, ok = rec.Aliases[name]; !ok {
			return s.noAlias(rec, name)
		}
		if err := checkRevision(revision, alias.RevisionID); err != nil {
			return err
		}
		if version != nil {
			if err := s.pointsToVersion(rec, *version); err != nil {
				return err
			}
			alias.FunctionVersion = *version
		}
		if description != nil {
			alias.Description = *description
		}
		alias.RevisionID = uuid.NewString()
		rec.Aliases[name] = alias
		return nil
	})
	if err != nil {
		return Alias{}, "", err
	}
	return alias, qualified(s.arn(rec.Name), name), nil
}

func (s *Service) noAlias(rec *record, name string) error {
	return refusal(ResourceNotFound, "Cannot find alias arn: %s", qualified(s.arn(rec.Name), short(name)))
}

// DeleteAlias removes an alias; that there is none is no error.
func (s *Service) DeleteAlias(ctx context.Context, function, name string) error {
	_, err := s.update(ctx, function, "", func(rec *record, _ reference) error {
		delete(rec.Aliases, name)
		delete(rec.Policies, name)
		return nil
	})
	return err
}

// Alias finds an alias, and its ARN.
func (s *Service) Alias(function, name string) (Alias, string, error) {
	rec, _, _, err := s.lookup(function, "")
	if err != nil {
		return Alias{}, "", err
	}
	alias, ok := rec.Aliases[name]
	if !ok {
		return Alias{}, "", s.noAlias(rec, name)
	}
	return alias, qualified(s.arn(rec.Name), name), nil
}

// Aliases lists the aliases by name, those of one version only if version is not
// empty, and the ARN that their names follow.
func (s *Service) Aliases(function, version string) ([]Alias, string, error) {
	rec, _, _, err := s.lookup(function, "")
	if err != nil {
		return nil, "", err
	}
	var list []Alias
	for _, name := range slices.Sorted(maps.Keys(rec.Aliases)) {
		if a := rec.Aliases[name]; version == "" || a.FunctionVersion == version {
			list = append(list, a)
		}
	}
	return list, s.arn(rec.Name), nil
}
