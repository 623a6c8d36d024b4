package main

import "github.com/spf13/cobra"

func (a *app) keysCommand() *cobra.Command {
	return &cobra.Command{Use: "keys", Short: "Branch keys", Hidden: true, Args: noArgs, RunE: func(*cobra.Command, []string) error { return usagef("branch keys are not supported yet") }}
}
