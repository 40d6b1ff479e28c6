package iot

import (
	"context"

	"github.com/gatehouse-iot/gatehouse/internal/api"
	"github.com/gatehouse-iot/gatehouse/internal/registry"
)

// Credentials are the registry's access keys. All act as the account's root user.
type Credentials struct{ Registry *registry.Registry }

var _ api.Credentials = Credentials{}

// Lookup implements [api.Credentials].
func (c Credentials) Lookup(ctx context.Context, accessKeyID string) (api.Credential, bool, error) {
	key, ok, err := c.Registry.AccessKey(ctx, accessKeyID)
	if err != nil || !ok {
		return api.Credential{}, false, err
	}
	account := c.Registry.AccountID()
	return api.Credential{
		SecretAccessKey: key.Secret,
		Account:         account,
		ARN:             "arn:" + partition(c.Registry.ARN("thing", "x")) + ":iam::" + account + ":root",
		UserID:          account,
	}, true, nil
}

// partition returns the partition of an ARN.
func partition(arn string) string {
	a, _ := registry.ParseARN(arn)
	return a.Partition
}
