package probe

import (
	"github.com/gatehouse-iot/gatehouse/internal/check"
	"github.com/gatehouse-iot/gatehouse/mqtt"
)

// refusedConnack is the check that the reason of a CONNACK stands for, and what
// else can be behind it, the likeliest first. Sources: mqtt sheet 2.1, 3;
// connect sheet 8.5.
func (p *run) refusedConnack(reason mqtt.ReasonCode) (*check.Check, []*check.Check) {
	switch reason {
	case mqtt.QuotaExceeded, mqtt.ConnectionRateExceeded:
		others := []*check.Check{check.LimitConnectRateAccount, check.LimitConnections, check.SessionTakeoverLoop}
		if p.random { // nobody connected as this client before
			return check.LimitConnectRateAccount, others[1:]
		}
		return check.LimitConnectRateClientID, others
	case mqtt.RefusedProtocolVersion, mqtt.UnsupportedProtocolVersion:
		return check.ConnectRefused, []*check.Check{check.MQTTProtocolLevel}
	case mqtt.RefusedIdentifier, mqtt.ClientIdentifierNotValid:
		return check.ConnectRefused, []*check.Check{check.LimitClientIDLength, check.MQTTClientIDReserved, check.MQTTClientIDEmpty}
	case mqtt.RefusedServerUnavailable, mqtt.ServerUnavailable, mqtt.ServerBusy, mqtt.ServerShuttingDown:
		return check.ConnectRefused, []*check.Check{check.ServerError, check.LimitConnectRateAccount, check.LimitConnectRateClientID, check.ServerShuttingDown}
	default:
		return check.ConnectRefused, p.connectCauses()
	}
}
