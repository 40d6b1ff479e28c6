package lambda

import (
	"encoding/base64"
	"encoding/hex"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/function"
)

// lastModified is the form of LastModified.
const lastModified = "2006-01-02T15:04:05.000-0700"

// configuration is a version as the API shows it.
func configuration(f *function.Function) *FunctionConfiguration {
	out := &FunctionConfiguration{
		FunctionName: &f.Name, FunctionArn: &f.ARN, Version: &f.Version.Version, Description: &f.Description,
		Role: &f.Role, Handler: &f.Handler, CodeSize: &f.CodeSize, RevisionId: &f.RevisionID,
		CodeSha256: new(codeSHA256(f.CodeSHA256)), LastModified: new(f.LastModified.Format(lastModified)),
		Runtime: new(Runtime(f.Runtime)), Timeout: new(int32(f.Timeout)), MemorySize: new(int32(f.MemorySize)),
		PackageType: new(PackageTypeZip), State: new(StateActive), LastUpdateStatus: new(LastUpdateStatusSuccessful),
		TracingConfig:    &TracingConfigResponse{Mode: new(TracingMode(f.Tracing))},
		EphemeralStorage: &EphemeralStorage{Size: int32(f.EphemeralMB)},
		SnapStart:        &SnapStartResponse{ApplyOn: new(SnapStartApplyOnNone), OptimizationStatus: new(SnapStartOptimizationStatusOff)},
		LoggingConfig:    &LoggingConfig{LogFormat: new(LogFormatText), LogGroup: new("/aws/lambda/" + f.Name)},
	}
	for _, a := range f.Architectures {
		out.Architectures = append(out.Architectures, Architecture(a))
	}
	if len(f.Environment) > 0 {
		out.Environment = &EnvironmentResponse{Variables: f.Environment}
	}
	return out
}

// codeSHA256 writes a hash as the API does.
func codeSHA256(hexHash string) string {
	raw, err := hex.DecodeString(hexHash)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// shared are the members that CreateFunction and UpdateFunctionConfiguration have
// in common and that Gatehouse has nothing behind.
type shared struct {
	deadLetter       *DeadLetterConfig
	fileSystems      []FileSystemConfig
	image            *ImageConfig
	kmsKey           *string
	layers           []string
	logging          *LoggingConfig
	snapStart        *SnapStart
	vpc              *VpcConfig
	capacityProvider *CapacityProviderConfig
	durable          *DurableConfig
}

// refuseUnbuilt names the first member that asks for what Gatehouse does not have:
// it is refused rather than ignored.
func (s *shared) refuseUnbuilt() error {
	for _, m := range []struct {
		name string
		used bool
	}{
		{"DeadLetterConfig", s.deadLetter != nil && api.OrZero(s.deadLetter.TargetArn) != ""},
		{"FileSystemConfigs", len(s.fileSystems) > 0},
		{"ImageConfig", s.image != nil},
		{"KMSKeyArn", api.OrZero(s.kmsKey) != ""},
		{"Layers", len(s.layers) > 0},
		{"LoggingConfig", s.logging != nil && (api.OrZero(s.logging.LogFormat) == LogFormatJson || s.logging.ApplicationLogLevel != nil || s.logging.SystemLogLevel != nil || s.logging.LogGroup != nil)},
		{"SnapStart", s.snapStart != nil && api.OrZero(s.snapStart.ApplyOn) != SnapStartApplyOnNone},
		{"VpcConfig", s.vpc != nil && (len(s.vpc.SubnetIds) > 0 || len(s.vpc.SecurityGroupIds) > 0)},
		{"CapacityProviderConfig", s.capacityProvider != nil},
		{"DurableConfig", s.durable != nil},
	} {
		if m.used {
			return InvalidParameterValueException("Gatehouse has nothing behind the parameter %s: leave it out.", m.name)
		}
	}
	return nil
}

// refusePackage refuses code that is not in the request.
func refusePackage(zip []byte, bucket, image *string) error {
	switch {
	case api.OrZero(bucket) != "":
		return InvalidParameterValueException("Gatehouse has no Amazon S3 to read the deployment package from: send it as ZipFile.")
	case api.OrZero(image) != "":
		return InvalidParameterValueException("Gatehouse runs no container images: send a deployment package as ZipFile.")
	case len(zip) == 0:
		return InvalidParameterValueException("Please provide a source for function code: ZipFile.")
	}
	return nil
}

func settings(description, handler, role *string, runtime *Runtime, timeout, memory *int32, storage *EphemeralStorage, tracing *TracingConfig, env *Environment) function.Settings {
	out := function.Settings{Description: description, Handler: handler, Role: role, Timeout: asInt(timeout), MemorySize: asInt(memory)}
	if runtime != nil {
		out.Runtime = new(string(*runtime))
	}
	if storage != nil {
		out.EphemeralMB = new(int(storage.Size))
	}
	if tracing != nil && tracing.Mode != nil {
		out.Tracing = new(string(*tracing.Mode))
	}
	if env != nil {
		out.SetEnvironment, out.Environment = true, env.Variables
	}
	return out
}

func architectures(list []Architecture) (out []string) {
	for _, a := range list {
		out = append(out, string(a))
	}
	return out
}
