package function

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Settings are what CreateFunction and UpdateFunctionConfiguration set; nil
// leaves a setting as it is.
type Settings struct {
	Description, Runtime, Handler, Role, Tracing *string
	Timeout                                      *int // seconds
	MemorySize                                   *int // MB
	EphemeralMB                                  *int
	Environment                                  map[string]string // nil: as it is
	SetEnvironment                               bool              // Environment replaces what there is, even when empty
}

// A NewFunction is what CreateFunction makes.
type NewFunction struct {
	Name string // or partial ARN, or ARN, without qualifier
	Settings
	Architectures []string
	Zip           []byte
	Publish       bool
	Tags          map[string]string
}

// A Function is one version of a function as it is shown.
type Function struct {
	Name string
	ARN  string // with the version unless it was asked for without one
	Version
	Tags     map[string]string
	Reserved *int
}

// Limits of a function's configuration. Source: AWS Lambda quotas.
const (
	maxTimeout     = 900     // seconds
	minMemory      = 128     // MB
	maxMemory      = 10240   // MB
	maxEnvironment = 4 << 10 // bytes of names and values
	maxTags        = 50
	maxVersions    = 1000 // ours
	maxFunctions   = 1000 // ours
)

var environmentName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]+$`)

// reservedEnvironment are names that only the runtime sets. Source: AWS Lambda,
// "Defined runtime environment variables".
var reservedEnvironment = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME",
	"AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API",
	"LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
}

// apply changes v; it refuses what AWS refuses, and runtimes that nothing here runs.
func (in *Settings) apply(v *Version) error {
	set := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	set(&v.Description, in.Description)
	set(&v.Runtime, in.Runtime)
	set(&v.Handler, in.Handler)
	set(&v.Role, in.Role)
	set(&v.Tracing, in.Tracing)
	for _, number := range []struct {
		to       *int
		from     *int
		name     string
		min, max int
	}{
		{&v.Timeout, in.Timeout, "timeout", 1, maxTimeout},
		{&v.MemorySize, in.MemorySize, "memorySize", minMemory, maxMemory},
		{&v.EphemeralMB, in.EphemeralMB, "ephemeralStorage.size", 512, 10240},
	} {
		if number.from == nil {
			continue
		}
		if *number.from < number.min || *number.from > number.max {
			return refusal(InvalidParameter, "Value %d at '%s' failed to satisfy constraint: it must be from %d to %d.", *number.from, number.name, number.min, number.max)
		}
		*number.to = *number.from
	}
	if v.Runtime == "" || v.Handler == "" {
		return refusal(InvalidParameter, "Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	if languageOf(v.Runtime) == unknownLanguage {
		return refusal(InvalidParameter, "The runtime %s is not built: %v.", v.Runtime, errUnknownRuntime)
	}
	if !in.SetEnvironment {
		return nil
	}
	if err := checkEnvironment(in.Environment); err != nil {
		return err
	}
	v.Environment = maps.Clone(in.Environment)
	return nil
}

func checkEnvironment(env map[string]string) error {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(env)) {
		size += len(name) + len(env[name])
		if slices.Contains(reservedEnvironment, name) {
			return refusal(InvalidParameter, "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", name)
		}
		if !environmentName.MatchString(name) {
			return refusal(InvalidParameter, "%q is no name of an environment variable: a letter, then letters, digits and underscores.", short(name))
		}
		if strings.ContainsRune(env[name], 0) {
			return refusal(InvalidParameter, "The environment variable %s holds a zero byte.", name)
		}
	}
	if size > maxEnvironment {
		return refusal(InvalidParameter, "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.")
	}
	return nil
}

// addPackage keeps a package for v.
func (s *Service) addPackage(raw []byte, v *Version) error {
	hash, err := s.packages.add(raw)
	if bad, ok := errors.AsType[*ZipError](err); ok {
		return refusal(InvalidParameter, "Could not unzip uploaded file: %s.", bad.Error())
	} else if err != nil {
		return err
	}
	v.CodeSHA256, v.CodeSize = hash, int64(len(raw))
	return nil
}

// touch notes a change of v.
func touch(v *Version) { v.LastModified, v.RevisionID = time.Now().UTC(), uuid.NewString() }

// Create makes a function.
func (s *Service) Create(ctx context.Context, in NewFunction) (Function, error) {
	ref, err := s.parseReference(in.Name, "")
	if err != nil {
		return Function{}, err
	}
	if ref.qualifier != "" {
		return Function{}, refusal(InvalidParameter, "The name of a new function has no qualifier; %q has.", short(in.Name))
	}
	if err := checkTags(in.Tags); err != nil {
		return Function{}, err
	}
	v := Version{Version: latest, Timeout: 3, MemorySize: minMemory, EphemeralMB: 512, Tracing: "PassThrough", Architectures: []string{"x86_64"}}
	if len(in.Architectures) > 0 {
		v.Architectures = in.Architectures
	}
	if err := in.apply(&v); err != nil {
		return Function{}, err
	}
	s.change.Lock()
	defer s.change.Unlock()
	s.mu.RLock()
	_, exists := s.records[ref.name]
	count := len(s.records)
	s.mu.RUnlock()
	if exists {
		return Function{}, refusal(ResourceConflict, "Function already exist: %s", ref.name)
	}
	if count >= maxFunctions {
		return Function{}, refusal(CodeStorageExceeded, "Gatehouse keeps at most %d functions.", maxFunctions)
	}
	if err := s.addPackage(in.Zip, &v); err != nil {
		return Function{}, err
	}
	touch(&v)
	rec := &record{Name: ref.name, Latest: v, Aliases: map[string]Alias{}, Policies: map[string]policyRecord{}, Tags: maps.Clone(in.Tags)}
	shown := rec.Latest
	if in.Publish {
		shown = rec.publish("")
	}
	if err := s.rows.put(ctx, rec); err != nil {
		return Function{}, err
	}
	s.mu.Lock()
	s.records[ref.name] = rec
	s.mu.Unlock()
	return s.show(rec, shown, ref.qualifier != "" || in.Publish), nil
}

// show is a version as callers see it.
func (s *Service) show(rec *record, v Version, withVersion bool) Function {
	f := Function{Name: rec.Name, ARN: s.arn(rec.Name), Version: v, Tags: rec.Tags, Reserved: rec.Reserved}
	if withVersion {
		f.ARN = qualified(f.ARN, v.Version)
	}
	return f
}

// Get finds a function, version or alias.
func (s *Service) Get(name, qualifier string) (Function, error) {
	rec, v, ref, err := s.lookup(name, qualifier)
	if err != nil {
		return Function{}, err
	}
	f := s.show(rec, v, false)
	f.ARN = qualified(f.ARN, ref.qualifier)
	return f, nil
}

// List returns the functions after a name, at most n, by name; all adds the
// published versions to each.
func (s *Service) List(after string, n int, all bool) (list []Function, more bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(s.records)) {
		if name <= after {
			continue
		}
		if n--; n < 0 {
			return list, true
		}
		rec := s.records[name]
		list = append(list, s.show(rec, rec.Latest, all))
		if all {
			for _, v := range rec.Versions {
				list = append(list, s.show(rec, v, true))
			}
		}
	}
	return list, false
}

// Delete removes a function, or one of its published versions.
func (s *Service) Delete(ctx context.Context, name, qualifier string) error {
	ref, err := s.parseReference(name, qualifier)
	if err != nil {
		return err
	}
	if ref.qualifier != "" {
		return s.deleteVersion(ctx, name, qualifier)
	}
	s.change.Lock()
	defer s.change.Unlock()
	rec, ok := s.record(ref.name)
	if !ok {
		return s.notFound(ref)
	}
	if err := s.rows.remove(ctx, ref.name); err != nil {
		return err
	}
	s.mu.Lock()
	delete(s.records, ref.name)
	s.mu.Unlock()
	for _, v := range append(rec.Versions, rec.Latest) {
		s.retire(rec.Name, v)
	}
	return s.packages.keepOnly(s.neededCode())
}

func (s *Service) deleteVersion(ctx context.Context, name, qualifier string) error {
	var removed Version
	rec, err := s.update(ctx, name, qualifier, func(rec *record, ref reference) error {
		i := slices.IndexFunc(rec.Versions, func(v Version) bool { return v.Version == ref.qualifier })
		switch {
		case ref.qualifier == latest:
			return refusal(InvalidParameter, "$LATEST version cannot be deleted without deleting the function.")
		case !numberPattern.MatchString(ref.qualifier):
			return refusal(InvalidParameter, "Deletion of aliases is not currently supported.")
		case i < 0:
			return s.notFound(ref)
		}
		for _, alias := range rec.Aliases {
			if alias.FunctionVersion == ref.qualifier {
				return refusal(ResourceConflict, "Deletion of function version is not allowed: the alias %s points to it.", alias.Name)
			}
		}
		removed = rec.Versions[i]
		rec.Versions = slices.Delete(rec.Versions, i, i+1)
		delete(rec.Policies, ref.qualifier)
		return nil
	})
	if err != nil {
		return err
	}
	s.retire(rec.Name, removed)
	return s.packages.keepOnly(s.neededCode())
}

// checkRevision refuses a change that expects another revision.
func checkRevision(want, have string) error {
	if want != "" && want != have {
		return refusal(PreconditionFailed, "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id")
	}
	return nil
}

// UpdateCode replaces the package of $LATEST. With dryRun it only checks.
func (s *Service) UpdateCode(ctx context.Context, name string, raw []byte, architectures []string, revision string, publish, dryRun bool) (Function, error) {
	return s.changeLatest(ctx, name, revision, publish, dryRun, func(v *Version) error {
		if len(architectures) > 0 {
			v.Architectures = architectures
		}
		if dryRun {
			if _, err := checkZip(raw); err != nil {
				return refusal(InvalidParameter, "Could not unzip uploaded file: %v.", err)
			}
			return nil
		}
		return s.addPackage(raw, v)
	})
}

// UpdateConfiguration changes the settings of $LATEST.
func (s *Service) UpdateConfiguration(ctx context.Context, name string, in Settings, revision string) (Function, error) {
	return s.changeLatest(ctx, name, revision, false, false, in.apply)
}

// errDryRun ends a change that was only tried.
var errDryRun = errors.New("dry run")

func (s *Service) changeLatest(ctx context.Context, name, revision string, publish, dryRun bool, change func(*Version) error) (Function, error) {
	var shown Version
	var tried *record
	rec, err := s.update(ctx, name, "", func(rec *record, ref reference) error {
		if ref.qualifier != "" && ref.qualifier != latest {
			return refusal(InvalidParameter, "Only $LATEST can be changed, not %s.", ref.qualifier)
		}
		if err := checkRevision(revision, rec.Latest.RevisionID); err != nil {
			return err
		}
		if err := change(&rec.Latest); err != nil {
			return err
		}
		touch(&rec.Latest)
		shown = rec.Latest
		if publish {
			shown = rec.publish("")
		}
		if dryRun {
			tried = rec
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		return s.show(tried, shown, false), nil
	} else if err != nil {
		return Function{}, err
	}
	return s.show(rec, shown, publish), s.packages.keepOnly(s.neededCode())
}

// publish makes a version of $LATEST, or finds the last one when nothing changed since.
func (r *record) publish(description string) Version {
	if n := len(r.Versions); n > 0 && r.Versions[n-1].sameAs(&r.Latest) {
		return r.Versions[n-1]
	}
	v := r.Latest
	r.LastVersion++
	v.Version = strconv.Itoa(r.LastVersion)
	if description != "" {
		v.Description = description
	}
	v.RevisionID = uuid.NewString()
	r.Versions = append(r.Versions, v)
	return v
}

// sameAs reports whether publishing other would give v again.
func (v *Version) sameAs(other *Version) bool {
	return v.CodeSHA256 == other.CodeSHA256 && v.Runtime == other.Runtime && v.Handler == other.Handler && v.Role == other.Role &&
		v.Timeout == other.Timeout && v.MemorySize == other.MemorySize && maps.Equal(v.Environment, other.Environment) &&
		v.LastModified.Equal(other.LastModified)
}

// Publish makes a numbered version of $LATEST.
func (s *Service) Publish(ctx context.Context, name, description, codeSHA256, revision string) (Function, error) {
	var shown Version
	rec, err := s.update(ctx, name, "", func(rec *record, _ reference) error {
		if err := checkRevision(revision, rec.Latest.RevisionID); err != nil {
			return err
		}
		if codeSHA256 != "" && codeSHA256 != rec.Latest.CodeSHA256 {
			return refusal(InvalidParameter, "CodeSHA256 (%s) is different from current CodeSHA256 in $LATEST. Please try again with the CodeSHA256 in $LATEST.", short(codeSHA256))
		}
		if len(rec.Versions) >= maxVersions {
			return refusal(CodeStorageExceeded, "Gatehouse keeps at most %d versions of a function.", maxVersions)
		}
		shown = rec.publish(description)
		return nil
	})
	if err != nil {
		return Function{}, err
	}
	return s.show(rec, shown, true), nil
}

// Versions returns $LATEST and the published versions.
func (s *Service) Versions(name string) ([]Function, error) {
	rec, _, _, err := s.lookup(name, "")
	if err != nil {
		return nil, err
	}
	list := []Function{s.show(rec, rec.Latest, true)}
	for _, v := range rec.Versions {
		list = append(list, s.show(rec, v, true))
	}
	return list, nil
}

// SetConcurrency reserves a function's concurrency; nil takes the reservation back.
func (s *Service) SetConcurrency(ctx context.Context, name string, reserved *int) error {
	if reserved != nil && (*reserved < 0 || *reserved > s.cfg.Processes) {
		return refusal(InvalidParameter, "Specified ReservedConcurrentExecutions %d is not from 0 to %d, which is what Gatehouse runs at once.", *reserved, s.cfg.Processes)
	}
	_, err := s.update(ctx, name, "", func(rec *record, _ reference) error { rec.Reserved = reserved; return nil })
	return err
}

// SetTags adds tags, and removes those of the given keys.
func (s *Service) SetTags(ctx context.Context, name string, add map[string]string, remove []string) error {
	_, err := s.update(ctx, name, "", func(rec *record, _ reference) error {
		maps.Copy(rec.Tags, add)
		for _, key := range remove {
			delete(rec.Tags, key)
		}
		return checkTags(rec.Tags)
	})
	return err
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return refusal(InvalidParameter, "A function has at most %d tags.", maxTags)
	}
	for k, v := range tags {
		if k == "" || len(k) > 128 || len(v) > 256 || strings.HasPrefix(k, "aws:") {
			return refusal(InvalidParameter, "The tag %q is not valid: its key has 1 to 128 characters and does not begin with aws:, its value at most 256.", short(k))
		}
	}
	return nil
}
