package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-iot/gatehouse/internal/store"
	"github.com/gatehouse-iot/gatehouse/internal/store/registrydb"
)

// A HomeError refuses to open the registry of another account or Region. Every
// ARN that was given out names both: policies, devices and scripts hold them.
type HomeError struct {
	Path            string // of the database
	Account, Region string // that it belongs to
	AskedAccount    string // that it was opened for
	AskedRegion     string
}

func (e *HomeError) Error() string {
	return fmt.Sprintf("%s belongs to account %s in %s, not to account %s in %s", e.Path, e.Account, e.Region, e.AskedAccount, e.AskedRegion)
}

// Settings that say whose registry it is.
const (
	accountSetting = "account_id"
	regionSetting  = "region"
)

// ensureHome notes the account and the Region of a new database, and refuses one
// of others with a [*HomeError].
func (r *Registry) ensureHome(ctx context.Context, path string) error {
	account, err := r.read().GetSetting(ctx, accountSetting)
	if store.IsNotFound(err) {
		return r.write(ctx, func(t *tx) error {
			return errors.Join(
				t.PutSetting(ctx, registrydb.PutSettingParams{Name: accountSetting, Value: r.account}),
				t.PutSetting(ctx, registrydb.PutSettingParams{Name: regionSetting, Value: r.region}),
			)
		})
	} else if err != nil {
		return err
	}
	region, err := r.read().GetSetting(ctx, regionSetting)
	if err != nil {
		return err
	}
	if account != r.account || region != r.region {
		return &HomeError{Path: path, Account: account, Region: region, AskedAccount: r.account, AskedRegion: r.region}
	}
	return nil
}
