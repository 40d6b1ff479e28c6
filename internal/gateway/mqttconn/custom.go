package mqttconn

import (
	"context"
	"time"

	"github.com/gatehouse-iot/gatehouse/internal/attempt"
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/internal/identity"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// An AuthenticateFunc lets a custom authorizer decide who a client is, by its CONNECT. A refusal is
// in the Login; the error is broken machinery.
type AuthenticateFunc func(ctx context.Context, by *identity.MQTTCredentials) (*identity.Login, error)

// authenticate asks the custom authorizer, if the door has one. Every refusal looks the same to the
// device. Source: mqtt sheet 2.1 #7; custom-auth sheet 9.
func (k *conn) authenticate(ctx context.Context, p *mqtt.Connect) (connectFault, error) {
	if k.info.Authenticate == nil {
		return connectFault{}, nil
	}
	// The packet is read into a buffer that is used again, and the authorizer
	// is asked again as long as the connection lives.
	login, err := k.info.Authenticate(ctx, &identity.MQTTCredentials{
		ClientID: string(p.ClientID), UserName: string(p.UserName), HasUserName: p.HasUserName,
		Password: append([]byte(nil), p.Password...), HasPassword: p.HasPassword,
	})
	if err != nil {
		return connectFault{}, err
	}
	login.Record(k.at)
	if rung := login.Refusal(); rung != nil {
		var v3 mqtt.ReasonCode // closed without CONNACK
		if k.server.cfg.Refusals.ConnectDenied == ConnectConnack5 {
			v3 = mqtt.RefusedNotAuthorized
		}
		return connectFault{faultOf(rung.Check, rung.Evidence...), v3, mqtt.NotAuthorized, authError}, nil
	}
	k.login, k.who = login, login.Who
	if ends := k.server.cfg.Now().Add(login.Answer.DisconnectAfter); k.info.Lifetime.Ends.IsZero() || ends.Before(k.info.Lifetime.Ends) {
		k.info.Lifetime = Lifetime{Ends: ends, By: AuthorizerLifetime}
	}
	return connectFault{}, nil
}

// authorization reads what the client may do: by the documents that its authorizer returned, or by
// the policies of the registry.
func (k *conn) authorization(ctx context.Context, facts identity.Facts) (Authorization, error) {
	if k.login == nil {
		return k.server.cfg.Authorize(ctx, k.who, k.clientID, facts)
	}
	a, err := k.login.Authorize(ctx, k.clientID, facts)
	if err != nil {
		return nil, err // not a, which would be a non-nil interface
	}
	k.custom = a
	return a, nil
}

// confirmTime bounds how long a packet waits for an authorizer that is asked again; it keeps its own limit.
const confirmTime = 10 * time.Second

// confirm asks the authorizer again, because its answer is too old for a decision. It returns how
// the connection ends, or nil. Source: custom-auth sheet 8.
func (k *conn) confirm() *ending {
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	k.custom.Renew(ctx)
	return k.over.Load()
}

// renewed is told what came of asking the authorizer again.
func (k *conn) renewed(r identity.Renewal) {
	if !r.Failed() {
		k.at.Pass(check.AuthorizerRefreshed, attempt.F("authorizer", r.Login.Authorizer.Name))
		return
	}
	e := ending{code: mqtt.NotAuthorized, reason: authError, check: check.AuthorizerRefreshFailed, evidence: []attempt.Field{
		attempt.F("authorizer", k.login.Authorizer.Name), attempt.F("period", r.After.String()),
	}}
	if r.Err != nil {
		e = *k.failed("ask the authorizer again", r.Err)
	} else {
		rung := r.Login.Refusal()
		k.at.Also(rung.Check, rung.Evidence...)
		e.evidence = append(e.evidence, attempt.F("detector", rung.Check.Code))
	}
	k.end(e)
}
