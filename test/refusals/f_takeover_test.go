package refusals

import (
	"github.com/gatehouse-iot/gatehouse/test/rawmqtt"
)

// takenOver is what the connection that loses its client ID sees.
var takenOver = byMQTT(closed, "DISCONNECT 0x8E, "+closed)

// lostTo connects d, then others with the same client ID in turn, and returns
// how d's last connection ended.
func lostTo(d *device, rounds int, others ...*device) rawmqtt.End {
	d.t.Helper()
	var end rawmqtt.End
	for range rounds {
		c := d.session()
		for _, other := range others {
			winner := other.session()
			end = c.End(patience)
			_ = c.Reset()
			c = winner
		}
		_ = c.Reset()
	}
	return end
}

// takeoverRows is group F: one client ID used twice. AWS allows a client ID one
// CONNECT a second, so they are run where rates are lifted.
var takeoverRows = []refusal{
	{
		id: "F-05", does: "is connected when another device connects with its client ID", mode: &helpful,
		act: func(d *device) rawmqtt.End {
			other := d.twin(d.name)
			return lostTo(d, 1, other)
		},
		sees: takenOver, code: "session.takeover", says: "$other_from",
		proof: map[string]string{"other_source_ip": "$other_from", "other_principal": "$other_cert", "client_id": "$client", "connected_for": "~s"},
		fix:   "gatehouse explain --source-ip $other_from",
	},
	{
		id: "F-01", does: "fights with another device for one client ID", mode: &helpful,
		act: func(d *device) rawmqtt.End {
			other := d.twin(d.name)
			return lostTo(d, 4, other)
		},
		sees: takenOver, code: "session.takeover_loop", says: "$other_from",
		proof: map[string]string{"other_source_ip": "$other_from", "other_principal": "$other_cert", "count": "~", "period": "~s"},
		fix:   "gatehouse explain --client-id $client && gatehouse explain --source-ip $other_from",
	},
	{
		id: "F-04", does: "races its own old connection", mode: &helpful,
		act:  func(d *device) rawmqtt.End { return lostTo(d, 4, d) },
		sees: takenOver, code: "session.takeover_self", says: "same address $from",
		proof: map[string]string{"other_source_ip": "$from", "other_principal": "$cert"},
	},
}
