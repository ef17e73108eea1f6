# Counterparts of spineclock.stats.survival: reads data.csv, writes r.json. Run in this folder.
suppressMessages({library(survival); library(cmprsk); library(jsonlite)})
d <- read.csv("data.csv")
d$sex <- factor(d$sex, levels = c("F", "M"))
d$cause <- ifelse(d$fracture == 1, 1, ifelse(d$death == 1, 2, 0))
at <- c(1, 2, 5)
out <- list()

# --- Kaplan-Meier and Aalen-Johansen
km <- summary(survfit(Surv(fracture_years, fracture) ~ 1, d, conf.type = "log-log"), times = at)
out$km <- list(incidence = 1 - km$surv, se = km$std.err, low = 1 - km$upper, high = 1 - km$lower)
kc <- summary(survfit(Surv(fracture_years, fracture) ~ 1, d, cluster = person_id), times = at)
out$km_clustered <- list(se = kc$std.err)
aj <- summary(survfit(Surv(fracture_years, factor(cause)) ~ 1, d), times = at)
out$aj <- list(incidence = aj$pstate[, 2], se = aj$std.err[, 2], event_free = aj$pstate[, 1])
effect <- residuals(survfit(Surv(fracture_years, factor(cause)) ~ 1, d), times = at, type = "pstate")
one <- effect[, , 2] # rows, times, states
out$aj_clustered <- list(se = sqrt(colSums(apply(one, 2, function(e) tapply(e, d$person_id, sum))^2)))
ci <- timepoints(cuminc(d$fracture_years, d$cause), at)
out$cuminc <- list(incidence = unname(ci$est[1, ]))

# --- Cox
M <- list(
  adjusted = coxph(Surv(fracture_years, fracture) ~ age_years + sex + gap_years + prevalent, d, cluster = person_id),
  strata = coxph(Surv(fracture_years, fracture) ~ age_years + gap_years + strata(site), d, cluster = person_id),
  breslow = coxph(Surv(fracture_years, fracture) ~ age_years + gap_years, d, cluster = person_id, ties = "breslow"))
for (name in names(M)) {
  f <- coxph(formula(M[[name]]), d, cluster = person_id, ties = M[[name]]$method, control = coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 50))
  s <- summary(f)
  zph <- lapply(c("km", "identity", "rank", "log"), function(g) { z <- cox.zph(f, transform = g)$table; list(chisq = unname(z[, 1]), p = unname(z[, 3])) })
  names(zph) <- c("km", "identity", "rank", "log")
  out$cox[[name]] <- list(coef = unname(coef(f)), se = unname(s$coefficients[, "robust se"]), naive = unname(s$coefficients[, "se(coef)"]),
    p = unname(s$coefficients[, "Pr(>|z|)"]), low = unname(s$conf.int[, 3]), high = unname(s$conf.int[, 4]), loglik = f$loglik, zph = zph,
    dfbeta = as.numeric(residuals(f, "dfbeta")[1:5, ]))
}
f <- coxph(Surv(fracture_years, fracture) ~ age_years + gap_years, d, control = coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 50))
new <- data.frame(age_years = c(55, 80), gap_years = c(-3, 6))
out$risk <- as.numeric(1 - summary(survfit(f, newdata = new), times = 4)$surv)

# --- concordance
y <- Surv(d$fracture_years, d$fracture)
whole <- concordance(y ~ score, d, reverse = TRUE)
both <- concordance(y ~ score, d, reverse = TRUE, cluster = d$person_id)
uno <- concordance(y ~ score, d, reverse = TRUE, timewt = "n/G2")
until <- concordance(y ~ score, d, reverse = TRUE, timewt = "n/G2", ymax = 4)
a <- concordance(y ~ score, d, reverse = TRUE, influence = 1, cluster = d$person_id)
b <- concordance(y ~ other, d, reverse = TRUE, influence = 1, cluster = d$person_id)
out$c <- list(value = whole$concordance, counts = unname(whole$count[1:3]), se = sqrt(whole$var), se_clustered = sqrt(both$var),
  difference = a$concordance - b$concordance, difference_se = sqrt(sum(tapply(a$dfbeta - b$dfbeta, names(a$dfbeta), sum)^2)),
  uno = uno$concordance, uno_until = until$concordance)

# --- risks with death competing: cause-specific Cox models as one of several states, and IPCW-weighted logistic
at <- c(2, 3, 5)
d$row <- seq_len(nrow(d))
d$state <- factor(d$cause, labels = c("censored", "fracture", "death"))
f <- coxph(Surv(exact_years, state) ~ age_years + gap_years, d, id = row, ties = "breslow", control = coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 50))
s <- summary(survfit(f, newdata = new), times = at)$pstate # times, rows, states
out$cause_specific <- list(coef = unname(coef(f)), fracture = as.numeric(s[, , 2]), death = as.numeric(s[, , 3]))
g <- stepfun((k <- survfit(Surv(exact_years, cause == 0) ~ 1, d))$time, c(1, k$surv))
out$logistic <- sapply(at, function(h) {
  w <- ifelse(d$exact_years > h, 1 / g(h), (d$cause > 0) / g(d$exact_years - 1e-9))
  y <- as.numeric(d$exact_years <= h & d$cause == 1)
  fit <- suppressWarnings(glm(y ~ age_years + gap_years, quasibinomial, d, weights = w, subset = w > 0, epsilon = 1e-14))
  unname(predict(fit, new, type = "response"))
})
write_json(out, "r.json", digits = NA, auto_unbox = TRUE, pretty = TRUE)
