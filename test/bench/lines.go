//go:build linux

package main

import (
	"crypto/tls"
	"fmt"
	"time"
)

// lines are the rows of docs/performance.md, in its order.
func (b *bench) lines() []line {
	lines := []line{
		b.connectLine("connect up to CONNACK, ECDSA", b.ecdsa, 0.42),
		b.connectLine("connect up to CONNACK, RSA", b.rsa, 0.50),
		// What most devices offer, and mosquitto's OpenSSL takes anyway: no post-quantum key exchange.
		b.connectLine("connect, ECDSA, X25519 alone", b.ecdsa, 0, tls.X25519),
	}
	for _, f := range []struct {
		size int
		must float64
	}{{256, 0.50}, {16, 0.40}, {4096, 0.70}} {
		lines = append(lines, b.flowLine(fmt.Sprintf("fan-in 100 to 1, QoS 0, %d B", f.size), flow{shape: fanIn, n: 100, size: f.size, perPub: 3000}, f.must))
	}
	for _, v5 := range []bool{false, true} {
		version := map[bool]string{false: "3.1.1", true: "5"}[v5]
		lines = append(lines, b.flowLine("fan-in 100 to 1, QoS 1, MQTT "+version, flow{shape: fanIn, n: 100, qos: 1, v5: v5, size: 256, perPub: 1500}, 0.45))
	}
	for _, qos := range []byte{0, 1} {
		for _, size := range []int{256, 16, 4096} {
			lines = append(lines, b.flowLine(fmt.Sprintf("100 pairs, QoS %d, %d B", qos, size), flow{shape: pairs, n: 100, qos: qos, size: size, perPub: 2000}, 0.45))
		}
	}
	for qos, must := range []float64{0.50, 0.55} {
		lines = append(lines, b.flowLine(fmt.Sprintf("fan-out 1 to 1,000, QoS %d", qos), flow{shape: fanOut, n: 1000, qos: byte(qos), size: 256, perPub: 400}, must))
	}
	for qos := range byte(2) {
		lines = append(lines, b.webSocketLine(fmt.Sprintf("100 pairs over WebSocket, QoS %d, 256 B", qos), flow{shape: pairs, n: 100, qos: qos, size: 256, perPub: 2000}))
	}
	return append(lines,
		b.flowLine("open loop fan-in, QoS 1, 5,000/s", flow{shape: fanIn, n: 100, qos: 1, size: 256, perPub: 250, every: 20 * time.Millisecond}, 1.30),
		b.flowLine("open loop 500 pairs, QoS 1, 5,000/s", flow{shape: pairs, n: 500, qos: 1, size: 256, perPub: 50, every: 100 * time.Millisecond}, 1.40),
		b.flowLine("open loop 100 pairs, QoS 0, 5,000/s", flow{shape: pairs, n: 100, size: 256, perPub: 250, every: 20 * time.Millisecond}, 0),
		b.flowLine("open loop fan-out to 1,000, QoS 0, 10/s", flow{shape: fanOut, n: 1000, size: 256, perPub: 50, every: 100 * time.Millisecond}, 0.85),
		b.offlineLine("offline queue: memory for one", offlineMemory), // first: what a peer frees, it keeps for the next
		b.offlineLine("offline queue: write one", offlineWrite),
		b.offlineLine("offline queue: drain one", offlineDrain),
		b.idleLine("idle connection, of 10,000, bare", 10_000, bare),
		b.idleLine("idle connection, of 10,000, after use", 10_000, used),
		b.filterMemoryLine("memory for a subscription, of 100,000", 100_000),
		b.filterFlowLine("100 pairs among 100,000 filters, QoS 0", 100_000),
	)
}

func (b *bench) scaled(n int) int { return max(1, int(float64(n)*b.scale)) }

// tailMust is the goal for the latency of the open loops.
const tailMust = 1.5

func (b *bench) flowLine(name string, f flow, must float64) line {
	f.perPub = b.scaled(f.perPub)
	return line{name: name, unit: micros, must: must, p99: tailMust, measure: func(s *peer) (figure, error) {
		y, err := f.run(s.process, b.device(s, b.ecdsa))
		return figure{value: float64(y.cpu), p99: y.p99}, err
	}}
}

// connectLine measures full handshakes by connections one after the other from four workers.
// curves, unless there are none, are what devices offer for the key exchange.
func (b *bench) connectLine(name string, cert tls.Certificate, must float64, curves ...tls.CurveID) line {
	n := b.scaled(1000)
	measure := func(do func(device, int) error) func(s *peer) (figure, error) {
		return func(s *peer) (figure, error) {
			d := b.device(s, cert)
			d.config.CurvePreferences = curves
			took, err := spent(s.process, n, func() error {
				return inParallel(n, 4, func(i int) error { return do(d, i) })
			})
			return figure{value: float64(took)}, err
		}
	}
	return line{name: name, unit: micros, must: must, measure: measure(device.connectOnly), bare: measure(device.handshakeOnly)}
}

// connectOnly goes up to CONNACK, then sends DISCONNECT.
func (d device) connectOnly(i int) error {
	c, err := d.connect(session{id: fmt.Sprint("bench-", i), keepAlive: 60})
	if err != nil {
		return err
	}
	return c.leave()
}

// handshakeOnly completes the handshake and says goodbye.
func (d device) handshakeOnly(int) error {
	tc, err := d.dial()
	if err != nil {
		return err
	}
	return tc.Close()
}

// An idleRest is what an idle connection has done before.
type idleRest int

const (
	bare idleRest = iota // nothing but connect
	used                 // it subscribed, and a message went from it to itself, at QoS 1
)

// idleLine measures the resident memory of a connection that does nothing, some
// seconds after the last one came, or did something.
func (b *bench) idleLine(name string, n int, rest idleRest) line {
	n = b.scaled(n)
	return line{name: name, unit: kib, once: true, must: 1.4, measure: func(s *peer) (figure, error) {
		if at := b.idle[rest][s]; at > 0 {
			return figure{value: at}, nil
		}
		d := b.device(s, b.ecdsa)
		before, err := s.process.resident()
		if err != nil {
			return figure{}, err
		}
		held, err := d.hold(n, "idle")
		defer held.close()
		if err != nil {
			return figure{}, err
		}
		for _, r := range []idleRest{bare, used} { // one hold for both: what was freed is not given back for the second
			if r == used {
				if err := inParallel(n, 4, func(i int) error { return held[i].use(fmt.Sprintf("bench/idle/%d", i)) }); err != nil {
					return figure{}, err
				}
			}
			time.Sleep(idleRestTime) // garbage is collected, buffers are given back
			after, err := s.process.resident()
			if err != nil {
				return figure{}, err
			}
			if b.idle[r] == nil {
				b.idle[r] = map[*peer]float64{}
			}
			b.idle[r][s] = float64(after-before) / float64(n)
		}
		return figure{value: b.idle[rest][s]}, nil
	}}
}

// idleRestTime is longer than a server takes to see that a storm is over.
const idleRestTime = 15 * time.Second

// use subscribes to a topic and sends a message there, which comes back.
func (c *client) use(topic string) error {
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	if err := c.subscribe(1, topic); err != nil {
		return err
	}
	message, id, _ := publishPacket(topic, 1, c.v5, make([]byte, 256))
	message[id+1] = 1
	if _, err := c.Write(message); err != nil {
		return err
	}
	for range 2 { // PUBACK and the message, in any order
		header, body, err := c.packet()
		switch {
		case err != nil:
			return err
		case header>>4 == 3:
			id, _, err := c.publishBody(header, body)
			if err != nil {
				return err
			}
			if _, err := c.Write([]byte{0x40, 2, byte(id >> 8), byte(id)}); err != nil {
				return err
			}
		case header != 0x40:
			return fmt.Errorf("packet %#x where a PUBACK or the message was due", header)
		}
	}
	return nil
}

// connections are clients that are held open.
type connections []*client

func (c connections) close() {
	for _, one := range c {
		if one != nil {
			one.Close()
		}
	}
}

// hold opens n connections.
func (d device) hold(n int, name string) (connections, error) {
	held := make(connections, n)
	return held, inParallel(n, 4, func(i int) (err error) {
		if held[i], err = d.connect(session{id: fmt.Sprintf("bench-%s-%d", name, i), keepAlive: 1200}); err != nil {
			return err
		}
		return held[i].SetDeadline(time.Time{})
	})
}

// manyFilters subscribes a hundred connections to n filters, two thirds of them with wildcards.
func (d device) manyFilters(n int) (connections, error) {
	const holders = 100
	held, err := d.hold(holders, "filters")
	if err != nil {
		return held, err
	}
	return held, inParallel(holders, 4, func(i int) error {
		var filters []string
		for k := i; k < n; k += holders {
			form := [...]string{"bench/f/%d/state/now", "bench/f/%d/+/now", "bench/f/%d/#"}[k%3]
			if filters = append(filters, fmt.Sprintf(form, k)); len(filters) == 8 || k+holders >= n {
				if err := held[i].subscribe(0, filters...); err != nil {
					return err
				}
				filters = filters[:0]
			}
		}
		return nil
	})
}

func (b *bench) filterMemoryLine(name string, n int) line {
	n = b.scaled(n)
	return line{name: name, unit: octets, once: true, must: 1.2, measure: func(s *peer) (figure, error) {
		before, err := s.process.resident()
		if err != nil {
			return figure{}, err
		}
		held, err := b.device(s, b.ecdsa).manyFilters(n)
		defer held.close()
		if err != nil {
			return figure{}, err
		}
		time.Sleep(2 * time.Second)
		after, err := s.process.resident()
		return figure{value: float64(after-before) / float64(n)}, err
	}}
}

func (b *bench) filterFlowLine(name string, n int) line {
	n = b.scaled(n)
	f := flow{shape: pairs, n: 100, size: 256, perPub: b.scaled(2000)}
	return line{name: name, unit: micros, must: 0.70, measure: func(s *peer) (figure, error) {
		d := b.device(s, b.ecdsa)
		held, err := d.manyFilters(n)
		defer held.close()
		if err != nil {
			return figure{}, err
		}
		y, err := f.run(s.process, d)
		return figure{value: float64(y.cpu)}, err
	}}
}
