package lambda

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/function"
)

// listPage is the size of a page when the request names none, and at most.
const listPage = 50

// CreateFunction makes a function of a zip file in the request.
func (h Handlers) CreateFunction(ctx context.Context, in *CreateFunctionRequest) (*FunctionConfiguration, error) {
	unbuilt := shared{in.DeadLetterConfig, in.FileSystemConfigs, in.ImageConfig, in.KMSKeyArn, in.Layers, in.LoggingConfig, in.SnapStart, in.VpcConfig, in.CapacityProviderConfig, in.DurableConfig}
	if err := unbuilt.refuseUnbuilt(); err != nil {
		return nil, err
	}
	if api.OrZero(in.CodeSigningConfigArn) != "" {
		return nil, InvalidParameterValueException("Gatehouse has nothing behind the parameter CodeSigningConfigArn: leave it out.")
	}
	if err := refusePackage(in.Code.ZipFile, in.Code.S3Bucket, in.Code.ImageUri); err != nil {
		return nil, err
	}
	f, err := h.Functions.Create(ctx, function.NewFunction{
		Name:          in.FunctionName,
		Settings:      settings(in.Description, in.Handler, &in.Role, in.Runtime, in.Timeout, in.MemorySize, in.EphemeralStorage, in.TracingConfig, in.Environment),
		Architectures: architectures(in.Architectures), Zip: in.Code.ZipFile, Publish: api.OrZero(in.Publish), Tags: in.Tags,
	})
	if err != nil {
		return nil, err
	}
	return configuration(&f), nil
}

// GetFunction answers a function with its tags and its reserved concurrency.
func (h Handlers) GetFunction(_ context.Context, in *GetFunctionRequest) (*GetFunctionResponse, error) {
	f, err := h.Functions.Get(in.FunctionName, api.OrZero(in.Qualifier))
	if err != nil {
		return nil, err
	}
	out := &GetFunctionResponse{Configuration: configuration(&f), Code: &FunctionCodeLocation{RepositoryType: new("Gatehouse")}, Tags: f.Tags}
	if f.Reserved != nil {
		out.Concurrency = &Concurrency{ReservedConcurrentExecutions: new(int32(*f.Reserved))}
	}
	return out, nil
}

// GetFunctionConfiguration answers a function.
func (h Handlers) GetFunctionConfiguration(_ context.Context, in *GetFunctionConfigurationRequest) (*FunctionConfiguration, error) {
	f, err := h.Functions.Get(in.FunctionName, api.OrZero(in.Qualifier))
	if err != nil {
		return nil, err
	}
	return configuration(&f), nil
}

// ListFunctions answers a page of functions by name.
func (h Handlers) ListFunctions(ctx context.Context, in *ListFunctionsRequest) (*ListFunctionsResponse, error) {
	page, err := api.ReadPage(ctx, in.Marker, in.MaxItems, listPage, in.FunctionVersion)
	if err != nil {
		return nil, err
	}
	list, more := h.Functions.List(page.After, min(page.Size, listPage), in.FunctionVersion != nil)
	out := &ListFunctionsResponse{}
	for i := range list {
		out.Functions = append(out.Functions, *configuration(&list[i]))
	}
	if more {
		out.NextMarker = page.Next(true, list[len(list)-1].Name)
	}
	return out, nil
}

// UpdateFunctionCode replaces the deployment package.
func (h Handlers) UpdateFunctionCode(ctx context.Context, in *UpdateFunctionCodeRequest) (*FunctionConfiguration, error) {
	if err := refusePackage(in.ZipFile, in.S3Bucket, in.ImageUri); err != nil {
		return nil, err
	}
	f, err := h.Functions.UpdateCode(ctx, in.FunctionName, in.ZipFile, architectures(in.Architectures), api.OrZero(in.RevisionId), api.OrZero(in.Publish), api.OrZero(in.DryRun))
	if err != nil {
		return nil, err
	}
	return configuration(&f), nil
}

// UpdateFunctionConfiguration changes the settings.
func (h Handlers) UpdateFunctionConfiguration(ctx context.Context, in *UpdateFunctionConfigurationRequest) (*FunctionConfiguration, error) {
	unbuilt := shared{in.DeadLetterConfig, in.FileSystemConfigs, in.ImageConfig, in.KMSKeyArn, in.Layers, in.LoggingConfig, in.SnapStart, in.VpcConfig, in.CapacityProviderConfig, in.DurableConfig}
	if err := unbuilt.refuseUnbuilt(); err != nil {
		return nil, err
	}
	change := settings(in.Description, in.Handler, in.Role, in.Runtime, in.Timeout, in.MemorySize, in.EphemeralStorage, in.TracingConfig, in.Environment)
	f, err := h.Functions.UpdateConfiguration(ctx, in.FunctionName, change, api.OrZero(in.RevisionId))
	if err != nil {
		return nil, err
	}
	return configuration(&f), nil
}

// DeleteFunction removes a function or one of its versions.
func (h Handlers) DeleteFunction(ctx context.Context, in *DeleteFunctionRequest) (*DeleteFunctionResponse, error) {
	if err := h.Functions.Delete(ctx, in.FunctionName, api.OrZero(in.Qualifier)); err != nil {
		return nil, err
	}
	return &DeleteFunctionResponse{StatusCode: new(int32(http.StatusNoContent))}, nil
}

// PublishVersion makes a numbered version.
func (h Handlers) PublishVersion(ctx context.Context, in *PublishVersionRequest) (*FunctionConfiguration, error) {
	hash := api.OrZero(in.CodeSha256)
	if raw, err := base64.StdEncoding.DecodeString(hash); err == nil {
		hash = hex.EncodeToString(raw)
	}
	f, err := h.Functions.Publish(ctx, in.FunctionName, api.OrZero(in.Description), hash, api.OrZero(in.RevisionId))
	if err != nil {
		return nil, err
	}
	return configuration(&f), nil
}

// ListVersionsByFunction answers all versions, in one page.
func (h Handlers) ListVersionsByFunction(_ context.Context, in *ListVersionsByFunctionRequest) (*ListVersionsByFunctionResponse, error) {
	list, err := h.Functions.Versions(in.FunctionName)
	if err != nil {
		return nil, err
	}
	out := &ListVersionsByFunctionResponse{}
	for i := range list {
		out.Versions = append(out.Versions, *configuration(&list[i]))
	}
	return out, nil
}

// PutFunctionConcurrency reserves executions.
func (h Handlers) PutFunctionConcurrency(ctx context.Context, in *PutFunctionConcurrencyRequest) (*Concurrency, error) {
	n := int(in.ReservedConcurrentExecutions)
	if err := h.Functions.SetConcurrency(ctx, in.FunctionName, &n); err != nil {
		return nil, err
	}
	return &Concurrency{ReservedConcurrentExecutions: &in.ReservedConcurrentExecutions}, nil
}

// GetFunctionConcurrency answers what is reserved.
func (h Handlers) GetFunctionConcurrency(_ context.Context, in *GetFunctionConcurrencyRequest) (*GetFunctionConcurrencyResponse, error) {
	f, err := h.Functions.Get(in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	out := &GetFunctionConcurrencyResponse{}
	if f.Reserved != nil {
		out.ReservedConcurrentExecutions = new(int32(*f.Reserved))
	}
	return out, nil
}

// DeleteFunctionConcurrency takes the reservation back.
func (h Handlers) DeleteFunctionConcurrency(ctx context.Context, in *DeleteFunctionConcurrencyRequest) (*DeleteFunctionConcurrencyResponse, error) {
	return &DeleteFunctionConcurrencyResponse{}, h.Functions.SetConcurrency(ctx, in.FunctionName, nil)
}

// ListTags answers a function's tags.
func (h Handlers) ListTags(_ context.Context, in *ListTagsRequest) (*ListTagsResponse, error) {
	f, err := h.Functions.Get(in.Resource, "")
	if err != nil {
		return nil, err
	}
	return &ListTagsResponse{Tags: f.Tags}, nil
}

// TagResource adds tags.
func (h Handlers) TagResource(ctx context.Context, in *TagResourceRequest) (*TagResourceResponse, error) {
	return &TagResourceResponse{}, h.Functions.SetTags(ctx, in.Resource, in.Tags, nil)
}

// UntagResource removes tags.
func (h Handlers) UntagResource(ctx context.Context, in *UntagResourceRequest) (*UntagResourceResponse, error) {
	return &UntagResourceResponse{}, h.Functions.SetTags(ctx, in.Resource, nil, in.TagKeys)
}
