package main

import "errors"

// explainCmd says what the gateway saw of a device.
type explainCmd struct{}

func (c *explainCmd) Run(*app) error { return errors.New("explain: not built yet") }
