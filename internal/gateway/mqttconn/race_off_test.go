//go:build !race

package mqttconn

const raceEnabled = false
